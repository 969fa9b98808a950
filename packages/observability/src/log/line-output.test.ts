import { execFile } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test, until } from '@repo/testing'
import { createLineOutput } from './line-output.ts'

const run = promisify(execFile)

test('a line that is larger than the buffer is dropped and reported, and later lines are written to a file', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'line-output-'))
  const file = join(dir, 'log')
  const fd = openSync(file, 'w')
  const gaps: number[] = []
  const output = createLineOutput({ fd, maxBytes: 100, onResume: (lines) => gaps.push(lines) })
  try {
    output.write(`${'x'.repeat(200)}\n`)
    await until(() => gaps.length > 0)
    output.write('after\n')
    await until(() => output.bufferedBytes() === 0)
    expect(readFileSync(file, 'utf8')).toBe('after\n')
    expect([gaps, output.droppedLines()]).toEqual([[1], 1])
  } finally {
    closeSync(fd)
    rmSync(dir, { recursive: true })
  }
})

test('a line that is larger than the buffer is dropped whole, and later lines are written to a pipe', async () => {
  const program = `
    const { writeSync } = await import('node:fs')
    const { createLineOutput } = await import(process.argv[1])
    const output = createLineOutput({ fd: 1, maxBytes: 100 })
    output.write('x'.repeat(1_000_000) + '\\n')
    output.write('after\\n')
    process.on('exit', () => writeSync(2, String(output.droppedLines())))`
  const args = ['--input-type=module', '-e', program, import.meta.resolve('./line-output.ts')]
  const { stdout, stderr } = await run(process.execPath, args)
  expect([stdout.slice(-6), stdout.length, stderr]).toEqual(['after\n', 6, '1'])
})
