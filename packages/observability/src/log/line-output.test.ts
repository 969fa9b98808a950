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

test('lines that are written soon and at once reach a pipe in their order, also those of the last turn', async () => {
  const program = `
    const { createLineOutput } = await import(process.argv[1])
    const output = createLineOutput({ fd: 1 })
    for (let turn = 0; turn < 200; turn += 1) {
      for (let line = 0; line < 50; line += 1) {
        const text = turn * 50 + line + ' ' + 'x'.repeat(100) + '\\n'
        if (line % 7 === 3) output.write(text)
        else output.writeSoon(text)
      }
      if (turn < 199) await new Promise(setImmediate)
    }
    process.exit()`
  const args = ['--input-type=module', '-e', program, import.meta.resolve('./line-output.ts')]
  const { stdout } = await run(process.execPath, args, { maxBuffer: 10_000_000 })
  const numbers = stdout
    .trimEnd()
    .split('\n')
    .map((line) => Number(line.split(' ')[0]))
  expect(numbers).toEqual(Array.from({ length: 10_000 }, (_, at) => at))
})

test('a line that is written at once has left the process when the call returns, after earlier lines of the turn', async () => {
  const program = `
    const { createLineOutput } = await import(process.argv[1])
    const output = createLineOutput({ fd: 1 })
    output.writeSoon('request\\n')
    output.write('fatal\\n')
    process.kill(process.pid, 'SIGKILL')`
  const args = ['--input-type=module', '-e', program, import.meta.resolve('./line-output.ts')]
  const killed = await run(process.execPath, args).catch((error: unknown) => error)
  expect(killed).toMatchObject({ signal: 'SIGKILL', stdout: 'request\nfatal\n' })
})
