import path from 'node:path'
import { expect, test } from 'vitest'
import { project } from '../project.fixture.ts'
import { checkDocs } from './check-docs.ts'
import { checkGuarantees, readGuarantees } from './guarantees.ts'
import { checkLayers } from './layers.ts'
import { checkNamedFiles } from './named-files.ts'

const HEAD = '| promise | kept in | proved by |\n| --- | --- | --- |\n'
const KEPT = '[lock](../packages/lock/src/lock.ts)'
const TESTS = '../packages/lock/src/lock.test.ts'
const FILES = {
  'packages/lock/src/lock.ts': 'export const lock = 1\n',
  'packages/lock/src/lock.test.ts': [
    "test('one holder at a time', () => {})",
    "describe('a group', () => test.each([1])(`of ${f({})} callers %s wins`, () => {}))",
  ].join('\n'),
  'infra/drill.ts': 'export const drill = 1\n',
}
const faultsOf = (rows: string) =>
  checkGuarantees(project({ ...FILES, 'docs/guarantees.md': `# Guarantees\n\n${HEAD}${rows}` }))

test('a guarantee names the file that keeps it and the test that proves it', () => {
  const rows = [
    `| One holder | ${KEPT} | [one holder at a time](${TESTS}), [the drill](../infra/drill.ts) |`,
    `| One wins | ${KEPT} | [of … callers %s wins](${TESTS}) |`,
  ]
  expect(faultsOf(rows.join('\n'))).toEqual([])
})

test.each([
  ['no file that keeps it', '| One | lock.ts | [one holder at a time](LINK) |', 'second column'],
  ['no test that proves it', `| One | ${KEPT} | \`lock.test.ts\` |`, 'third column'],
  ['a title that no test has', `| One | ${KEPT} | [two holders](LINK) |`, 'no test "two holders"'],
  ['the title of a group', `| One | ${KEPT} | [a group](LINK) |`, 'no test "a group"'],
  ['a file that is missing', `| One | ${KEPT} | [drill](../infra/gone.ts) |`, 'does not exist'],
  ['a fourth cell', `| One | ${KEPT} | [one holder at a time](LINK) | x |`, 'has 4 cells'],
])('a guarantee with %s is a fault', (_, row, fault) => {
  expect(faultsOf(row.replace('LINK', TESTS))).toEqual([expect.stringContaining(fault)])
})

test('a promise in two rows, other columns and an empty document are faults', () => {
  const row = `| One | ${KEPT} | [drill](../infra/drill.ts) |\n`
  expect(faultsOf(row + row)).toEqual([expect.stringContaining('is doubled')])
  expect(readGuarantees(`| promise | how |\n| --- | --- |\n`).faults).toHaveLength(2)
})

test('a document that names or links to a file which does not exist is a fault', () => {
  const root = project({
    ...FILES,
    'docs/a.md':
      'In `packages/lock/src/lock.ts`, `infra/none.sh`, [b](b.md#c) and [c](../README.md).\n',
    'README.md': '[web](https://example.com/x.md) and [here](#here) and `GET /x.md`\n',
  })
  expect(checkNamedFiles(root)).toEqual([
    'docs/a.md names infra/none.sh, which does not exist',
    'docs/a.md names docs/b.md, which does not exist',
  ])
})

test('a package without one row, or with other imports than its dependencies, is a fault', () => {
  const lock = { dependencies: { '@repo/redis': 'workspace:*', zod: 'catalog:' } }
  const faultsIn = (text: string) =>
    checkLayers(
      project({ 'packages/lock/package.json': JSON.stringify(lock), 'docs/architecture.md': text }),
    )
  const row = '| `packages/lock` | one holder | `redis` |\n'
  expect(faultsIn(row)).toEqual([])
  expect([...faultsIn(''), ...faultsIn(row + row)]).toEqual([
    'docs/architecture.md has 0 rows for packages/lock: write one',
    'docs/architecture.md has 2 rows for packages/lock: write one',
  ])
  expect(faultsIn(row.replace('`redis`', '`redis`, `database`'))).toEqual([
    'docs/architecture.md lists other imports for packages/lock than its package.json: write redis',
  ])
})

test('the documents of this repository name files and tests that exist', () => {
  const root = path.join(import.meta.dirname, '../../../..')
  expect(checkDocs(root)).toEqual({ lines: ['docs: 0 faults'], isFailed: false })
})
