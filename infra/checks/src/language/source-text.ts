import { parseSync } from 'vite'
import { cover, type Passage } from './passage.ts'

type Node = { type: string; start: number; end: number } & Record<string, unknown>

/** JSX attributes that a person reads. The others hold classes, ids and paths. */
const READ_ATTRIBUTES = /^(title|alt|label|placeholder|hint|description|aria-label|summary|empty)$/
const TEST_FUNCTIONS = new Set(['test', 'it', 'describe', 'bench'])
const CODE = /redis\.call|^\s*(select|insert|update|delete|create|alter|drop|begin|with|set|do)\s/i

/** Comments, test titles, messages, page copy and declared names of a TypeScript file. */
export function passagesOfSource(file: string, source: string): Passage[] {
  const { program, comments, errors } = parseSync(file, source)
  if (errors.length > 0) throw new Error(`${file} cannot be parsed: ${errors[0]?.message}`)
  const passages = commentPassages(source, comments)
  const isPage = file.endsWith('.tsx')
  const isTest = /\.(test|spec|fixture)\.tsx?$/.test(file)
  const titles = new Set<unknown>()

  visit(program, undefined, (node, parent) => {
    if (node.type === 'CallExpression' && isTestFunction(node['callee'])) {
      for (const argument of list(node['arguments']).slice(0, 1)) titles.add(argument)
    }
    if (node.type === 'JSXText') passages.push({ kind: 'page', ...slice(source, node) })
    for (const name of declaredNames(node)) {
      passages.push({ kind: 'name', ...slice(source, name, String(name['name'])) })
    }
    if (!isLiteral(node)) return
    if (titles.has(node)) {
      passages.push({ kind: 'title', ...slice(source, node) })
    } else if (node.type === 'TemplateLiteral' && isCode(source, node)) {
      passages.push(...embeddedComments(source, node))
    } else if (!isTest && isSentence(source, node) && isRead(parent)) {
      passages.push({ kind: isPage ? 'page' : 'message', ...slice(source, node) })
    }
  })
  return passages
}

function visit(
  node: unknown,
  parent: Node | undefined,
  see: (node: Node, parent: Node | undefined) => void,
) {
  if (Array.isArray(node)) {
    for (const child of node) visit(child, parent, see)
  } else if (isNode(node)) {
    see(node, parent)
    for (const [key, child] of Object.entries(node)) {
      if (key !== 'parent' && typeof child === 'object') visit(child, node, see)
    }
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}

const list = (value: unknown) => (Array.isArray(value) ? value : [])

/** `test(...)`, `test.each(...)(...)`, `test.skipIf(...)(...)`: the name that the chain begins with. */
function isTestFunction(callee: unknown): boolean {
  if (!isNode(callee)) return false
  if (callee.type === 'Identifier') return TEST_FUNCTIONS.has(String(callee['name']))
  if (callee.type === 'MemberExpression') {
    const property = callee['property']
    const isHook = isNode(property) && /^(before|after)/.test(String(property['name']))
    return !isHook && isTestFunction(callee['object'])
  }
  return callee.type === 'CallExpression' && isTestFunction(callee['callee'])
}

function isLiteral(node: Node): boolean {
  return (
    node.type === 'TemplateLiteral' ||
    (node.type === 'Literal' && typeof node['value'] === 'string')
  )
}

function isCode(source: string, { start, end }: Node): boolean {
  return CODE.test(source.slice(start + 1, end - 1)) || source.slice(start, end).includes('\n--')
}

/** At least three words of letters: a sentence rather than a key, a path or a class. */
function isSentence(source: string, { start, end }: Node): boolean {
  const text = source.slice(start + 1, end - 1)
  return /\p{L}{2,}\s+\S*\p{L}+\S*\s+\S*\p{L}{2,}/u.test(text) && !CODE.test(text)
}

function isRead(parent: Node | undefined): boolean {
  if (parent?.type !== 'JSXAttribute') return true
  const name = parent['name']
  return isNode(name) && READ_ATTRIBUTES.test(String(name['name']))
}

function slice(source: string, { start, end }: Node, text = source.slice(start, end)) {
  return { text: cover(text, /\$\{[^}]*\}|^['"`]|['"`]$/g), start }
}

/** Variables, parameters and functions that this node declares. */
function declaredNames(node: Node): Node[] {
  if (node.type === 'VariableDeclarator') return names(node['id'])
  if (/Function|TSDeclareFunction/.test(node.type)) {
    const parameters = list(node['params']).flatMap(names)
    return [...names(node['id']), ...parameters]
  }
  return []
}

function names(pattern: unknown): Node[] {
  if (!isNode(pattern)) return []
  switch (pattern.type) {
    case 'Identifier':
      return [pattern]
    case 'AssignmentPattern':
      return names(pattern['left'])
    case 'RestElement':
      return names(pattern['argument'])
    case 'ArrayPattern':
      return list(pattern['elements']).flatMap(names)
    case 'ObjectPattern':
      return list(pattern['properties']).flatMap((property) =>
        names(property.type === 'Property' ? property.value : property),
      )
    default:
      return []
  }
}

/** Line comments that follow each other are one passage: a sentence may span several lines. */
function commentPassages(
  source: string,
  comments: readonly { type: string; start: number; end: number }[],
): Passage[] {
  const spans: { start: number; end: number; type: string }[] = []
  for (const { type, start, end } of comments) {
    const last = spans.at(-1)
    const gap = last && source.slice(last.end, start)
    if (last && type === 'Line' && last.type === 'Line' && gap && /^\n[ \t]*$/.test(gap)) {
      last.end = end
    } else {
      spans.push({ start, end, type })
    }
  }
  return spans.map(({ start, end }) => ({
    kind: 'comment',
    text: cover(source.slice(start, end), /\/\*\*?|^[ \t]*\*\/?|\*\/|\/\/\/?/gm),
    start,
  }))
}

/** The comments of a Lua script or an SQL statement in a template literal. */
function embeddedComments(source: string, { start, end }: Node): Passage[] {
  const text = source.slice(start, end)
  return [...text.matchAll(/(?:^[ \t]*--.*\n?)+/gm)].map((match) => ({
    kind: 'comment',
    text: cover(match[0], /^[ \t]*--/gm),
    start: start + match.index,
  }))
}
