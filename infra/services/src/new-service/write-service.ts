import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { NewServiceError } from './service-name.ts'

const TEMPLATE = join(import.meta.dirname, '../../template')
const SUFFIX = '.template'

/** The files of the repository that list the parts of a service: a new line is added before a line. */
interface Insertion {
  path: string
  /** Undefined: at the end of the file. */
  before: string | undefined
  lines: string
}

/**
 * Writes the files of a new service from the template, and adds it to the lists of services, tables and
 * requests. Writes nothing when a list does not have the expected form.
 *
 * @returns the files, from the root of the repository
 */
export function writeService(root: string, name: string, number: number): string[] {
  const lists = new Map<string, string>()
  for (const insertion of insertionsFor(name, number)) {
    const { path } = insertion
    const text = lists.get(path) ?? readFileSync(join(root, path), 'utf8')
    lists.set(path, insert(text, insertion))
  }
  const insertions = Array.from(lists, ([path, content]) => ({ path, content }))
  const created = globSync(`**/*${SUFFIX}`, { cwd: TEMPLATE }).map((file) => ({
    path: fill(file.slice(0, -SUFFIX.length), name),
    content: fill(readFileSync(join(TEMPLATE, file), 'utf8'), name),
  }))
  for (const { path, content } of [...created, ...insertions]) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return [...created, ...insertions].map(({ path }) => path)
}

function insertionsFor(name: string, number: number): Insertion[] {
  return [
    {
      path: 'infra/services/src/services.ts',
      before: '] as const satisfies readonly Service[]',
      lines: `  {
    name: '${name}',
    number: ${number},
    role: 'domain',
    paths: ['/api/${name}'],
    access: 'signed-in',
    usesDatabase: true,
    secrets: ['internal_secret', 'internal_secrets_accepted'],
    probe: { path: '/api/${name}', status: 401 },
    description: 'a domain service',
  },
`,
    },
    {
      path: 'packages/database/drizzle.config.ts',
      before: '  ],',
      lines: `    './src/schema/${name}.ts',\n`,
    },
    {
      path: 'packages/database/src/schema.ts',
      before: undefined,
      lines: `export { ${name}Item } from './schema/${name}.ts'\n`,
    },
    {
      path: 'packages/api/src/endpoints.ts',
      before: 'export type { Endpoint, Method }',
      lines: `import { ${name}Endpoints } from './endpoints/${name}.ts'\n`,
    },
    {
      path: 'packages/api/src/endpoints.ts',
      before: ']',
      lines: `  ...${name}Endpoints,\n`,
    },
    {
      path: 'packages/api/src/index.ts',
      before: undefined,
      lines: `export { type ${capitalized(name)}ItemRequest, ${name}ItemRequest } from './requests/${name}.ts'
export { ${name}Item, ${name}Items } from './responses/${name}.ts'
`,
    },
  ]
}

function insert(text: string, { path, before, lines }: Insertion): string {
  if (before === undefined) return text + lines
  const index = text.indexOf(`\n${before}`)
  if (index === -1) {
    throw new NewServiceError(
      `${path} has no line "${before.trim()}", before which the new service belongs: restore the line`,
    )
  }
  return `${text.slice(0, index + 1)}${lines}${text.slice(index + 1)}`
}

function fill(text: string, name: string): string {
  return text
    .replaceAll('__name__', name)
    .replaceAll('__Name__', capitalized(name))
    .replaceAll('__path__', `/api/${name}`)
}

function capitalized(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1)
}
