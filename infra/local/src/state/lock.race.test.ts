import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { tryLock } from './lock.ts'

const dir = mkdtempSync(join(tmpdir(), 'threefold-lock-'))
afterAll(() => rmSync(dir, { recursive: true }))

const program = `
  const { tryLock } = await import(process.argv[1])
  process.stdout.write(tryLock(process.argv[2]) ? 'locked' : 'refused')
  setInterval(() => {}, 1e6)`

async function lockInProcess(file: string) {
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', program, import.meta.resolve('./lock.ts'), file],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const [output] = await once(child.stdout, 'data')
  return { child, outcome: String(output) }
}

test('one of 12 processes that lock a file at the same time succeeds, and SIGKILL releases its lock', async () => {
  const file = join(dir, 'contended')
  const all = await Promise.all(Array.from({ length: 12 }, () => lockInProcess(file)))
  expect(all.filter(({ outcome }) => outcome === 'locked')).toHaveLength(1)
  expect(tryLock(file)).toBe(undefined)
  for (const { child } of all) child.kill('SIGKILL')
  await Promise.all(all.map(({ child }) => once(child, 'exit')))
  const lock = tryLock(file)
  expect(lock).toBeDefined()
  lock?.release()
})

test('shared locks exclude an exclusive one, and not each other', () => {
  const file = join(dir, 'shared')
  const readers = [tryLock(file, 'shared'), tryLock(file, 'shared')]
  expect(readers.every((lock) => lock !== undefined)).toBe(true)
  expect(tryLock(file, 'exclusive')).toBe(undefined)
  for (const lock of readers) lock?.release()
  const writer = tryLock(file, 'exclusive')
  expect(tryLock(file, 'shared')).toBe(undefined)
  writer?.release()
  expect(tryLock(file, 'shared')).toBeDefined()
})

test('a file that cannot be locked is an error, and not a lock that another process holds', () => {
  expect(() => tryLock(join(dir, 'no-such-folder/file'))).toThrow('cannot be')
})
