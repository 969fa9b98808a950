import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, freePort, test } from '../index.ts'
import { blocksOf } from './blocks.ts'
import { emptyStores } from './empty-stores.ts'
import { examplesOf } from './examples.ts'
import { runExample, typeCheck, type WrittenExample, writeExamples } from './run-examples.ts'

const ROOT = path.join(import.meta.dirname, '../../../..')
const DOCUMENTS = [
  ...['README.md', 'docs/*.md', 'packages/*/README.md', 'apps/*/README.md'],
  ...['infra/*/README.md', 'e2e/README.md'],
]

/** Blocks of TypeScript that are neither run nor type-checked. */
const EXCEPTIONS: { document: string; begins: string; reason: string }[] = []

const PNPM_COMMANDS = new Set(['install', 'exec', 'vitest'])

const documents = globSync(DOCUMENTS, { cwd: ROOT })
  .toSorted()
  .map((document) => ({ document, text: readFileSync(path.join(ROOT, document), 'utf8') }))
const blocks = documents.flatMap(({ document, text }) => blocksOf(document, text))
const { examples, quotes, unmarked } = examplesOf(
  blocks.filter(({ language }) => /^(ts|tsx|js|typescript)$/.test(language)),
)
const isException = ({ document, code }: { document: string; code: string }) =>
  EXCEPTIONS.some((exception) => exception.document === document && code.includes(exception.begins))

let written: WrittenExample[] = []
let remove = async () => {}

beforeAll(async () => {
  ;({ written, remove } = await writeExamples(ROOT, examples))
})
afterAll(() => remove())

test('each block of TypeScript in a document is an example that is run', () => {
  expect(examples.length).toBeGreaterThanOrEqual(8)
  const places = unmarked.filter((block) => !isException(block))
  expect(places.map(({ document, line }) => `${document}:${line}`)).toEqual([])
})

test('the examples have the types of the packages', async () => {
  expect(await typeCheck(ROOT, written)).toBe('')
})

test.for(examples.map((example, i) => ({ ...example, i })))(
  'the example of $document, line $line, runs to its end',
  async ({ i }, { redisUrl, databaseUrl }) => {
    await emptyStores(redisUrl, databaseUrl)
    const env = { REDIS_URL: redisUrl, DATABASE_URL: databaseUrl, PORT: String(await freePort()) }
    expect(await runExample(written[i]!, ROOT, env)).toBe('')
  },
)

test.each(quotes)('the example of $document, line $line, is part of $file', ({ file, code }) => {
  const [example, source] = [lines(code), lines(readFileSync(path.join(ROOT, file), 'utf8'))]
  expect(file).toMatch(/\.test\.ts$/)
  expect(example.filter((line) => !source.includes(line))).toEqual([])
})

test('each command that a document names is a script of this repository', () => {
  const commands = documents.flatMap(({ text }) => [
    ...text.matchAll(/\bpnpm(?:@12)? (?:--filter @repo\/([\w-]+) )?([a-z][\w:-]*)/g),
  ])
  expect(commands.length).toBeGreaterThan(10)
  const missing = commands.filter(([, name = '', command = '']) => {
    const folder = name === '' ? '' : globSync(`{apps,packages,infra,.}/${name}`, { cwd: ROOT })[0]
    return !scriptsOf(folder ?? 'missing').includes(command) && !PNPM_COMMANDS.has(command)
  })
  expect(missing.map(([command]) => command)).toEqual([])
})

const lines = (text: string) => text.split('\n').map((line) => line.trim())

function scriptsOf(folder: string): string[] {
  const file = readFileSync(path.join(ROOT, folder, 'package.json'), 'utf8')
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(file)
  return Object.keys(scripts)
}
