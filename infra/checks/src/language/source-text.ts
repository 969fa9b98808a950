import { parseSync } from 'vite'
import { cover, type Kind, type Passage } from './passage.ts'

type Node = { type: string; start: number; end: number } & Record<string, unknown>

/** JSX attributes that a person reads. The others hold classes, ids and paths. */
const READ_ATTRIBUTES = /^(title|alt|label|placeholder|hint|description|aria-label|summary|empty)$/
const TEST_FUNCTIONS = ['test', 'it', 'describe']
const MODIFIERS = /^(describe|each|for|only|skip|skipIf|runIf|fails|concurrent|sequential|serial)$/
const CODE = /redis\.call|^\s*(select|insert|update|delete|create|alter|drop|begin|with|set|do)\s/i

/** Comments, test titles, messages, page copy and declared names of a TypeScript file. */
export function passagesOfSource(file: string, source: string): Passage[] {
  const { program, comments, errors } = parseSync(file, source)
  if (errors.length > 0) throw new Error(`${file} cannot be parsed: ${errors[0]?.message}`)
  const passages = commentPassages(source, comments)
  const sentence = file.endsWith('.tsx') ? 'page' : 'message'
  const isTest = /\.(test|spec|fixture)\.tsx?$/.test(file)
  const titles = new Map<unknown, Kind>()
  const testFunctions = new Set([...TEST_FUNCTIONS, ...extendedTests(source)])

  visit(program, undefined, (node, parent) => {
    const title = titleKind(node, testFunctions)
    if (title) titles.set(list(node['arguments'])[0], title)
    for (const name of declaredNames(node)) {
      passages.push({ kind: 'name', text: String(name['name']), start: name.start })
    }
    const add = (kind: Kind) => {
      passages.push({ kind, text: textOf(source, node), start: node.start })
    }
    const kind = isLiteral(node) ? titles.get(node) : undefined
    if (kind) add(kind)
    else if (node.type === 'JSXText') add('page')
    else if (isLiteral(node) && isCode(source, node)) {
      passages.push(...embeddedComments(source, node))
    } else if (!isTest && isLiteral(node) && isSentence(textOf(source, node)) && isRead(parent)) {
      add(sentence)
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

/** The first argument of a call that declares a test, or a group of tests, is a title. */
function titleKind(node: Node, testFunctions: ReadonlySet<string>): Kind | undefined {
  if (node.type !== 'CallExpression') return undefined
  const [name = '', ...modifiers] = calledNames(node['callee'])
  if (!testFunctions.has(name) || !modifiers.every((modifier) => MODIFIERS.test(modifier))) {
    return undefined
  }
  return [name, ...modifiers].includes('describe') ? 'group' : 'title'
}

/** `const clusters = test.extend(...)` declares tests too. */
const extendedTests = (source: string) =>
  [...source.matchAll(/\bconst (\w+) = \w+\s*\.extend\b/g)].map(([, name = '']) => name)

/** `test.describe(...)`, `test.each(...)(...)`: the names of the chain, from its beginning. */
function calledNames(callee: unknown): string[] {
  if (!isNode(callee)) return []
  switch (callee.type) {
    case 'Identifier':
      return [String(callee['name'])]
    case 'MemberExpression':
      return [...calledNames(callee['object']), ...calledNames(callee['property'])]
    case 'CallExpression':
      return calledNames(callee['callee'])
    default:
      return []
  }
}

function isLiteral(node: Node): boolean {
  return (
    node.type === 'TemplateLiteral' ||
    (node.type === 'Literal' && typeof node['value'] === 'string')
  )
}

function isCode(source: string, { type, start, end }: Node): boolean {
  if (type !== 'TemplateLiteral') return false
  const text = source.slice(start + 1, end - 1)
  return CODE.test(text) || text.includes('\n--')
}

/** At least three words of letters: a sentence rather than a key, a path or a class. */
function isSentence(text: string): boolean {
  return /\p{L}{2,}\s+\S*\p{L}+\S*\s+\S*\p{L}{2,}/u.test(text) && !CODE.test(text)
}

function isRead(parent: Node | undefined): boolean {
  if (parent?.type !== 'JSXAttribute') return true
  const name = parent['name']
  return isNode(name) && READ_ATTRIBUTES.test(String(name['name']))
}

/** The text of a literal: quotes are covered, and each `${...}` is replaced by a neutral character. */
function textOf(source: string, node: Node): string {
  const parts = source.slice(node.start, node.end).split('')
  if (node.type !== 'JSXText') {
    parts[0] = ' '
    parts[parts.length - 1] = ' '
  }
  const quasis = list(node['quasis']).filter(isNode)
  for (const [i, { end }] of quasis.slice(0, -1).entries()) {
    const next = quasis[i + 1]?.start ?? end
    parts.fill('·', end - 2 - node.start, next + 1 - node.start)
  }
  return parts.join('')
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
