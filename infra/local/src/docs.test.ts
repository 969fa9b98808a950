import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './state/state.ts'

/** What a document names in backticks that looks like a file of ours. */
function filesIn(text: string): string[] {
  const named = text.matchAll(/`([\w./-]+\/[\w./-]+\.(?:ts|tsx|yaml|cfg|md|sh))`/g)
  return [...named].flatMap(([, file]) => file ?? [])
}

/** A test, a browser spec, or the stage of CI that runs the stack in containers. */
function isTest(file: string): boolean {
  return /\.(test|spec)\.ts$/.test(file) || file === 'infra/compose/ci.sh'
}

const documents = ['README.md', ...globSync('docs/*.md', { cwd: ROOT })]

test.each(documents)('every file that %s names is there', (document) => {
  const text = readFileSync(join(ROOT, document), 'utf8')
  expect(filesIn(text).filter((file) => !existsSync(join(ROOT, file)))).toEqual([])
})

test('each guarantee names the test that proves it', () => {
  const rows = readFileSync(join(ROOT, 'docs/guarantees.md'), 'utf8')
    .split('\n')
    .filter(
      (line) => line.startsWith('| ') && !line.startsWith('| ---') && !line.startsWith('| promise'),
    )
  expect(rows.length).toBeGreaterThan(10)
  const unproved = rows.filter((row) => !filesIn(row).some(isTest))
  expect(unproved).toEqual([])
})
