import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { identify } from '@repo/embedded'
import { expect, test, vi } from 'vitest'

const isAlive = (pid: number) => identify(pid) !== undefined

test.for([
  ['SIGTERM', 143, 'second\nfirst\n'],
  ['SIGINT', 130, 'second\nfirst\n'],
  ['SIGHUP', 129, 'second\nfirst\n'],
  ['SIGKILL', null, ''],
] as const)(
  '%s ends each process of the program, also a stopped one, after the registered work',
  async ([signal, code, output]) => {
    const program = spawn(process.execPath, [join(import.meta.dirname, 'ending.fixture.ts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(program.stdout, 'data')
    const pids: number[] = JSON.parse(String(line))
    expect(pids.map(isAlive)).toEqual([true, true])
    let written = ''
    program.stdout.on('data', (chunk: Buffer) => (written += chunk.toString()))
    program.kill(signal)
    const [exitCode] = await once(program, 'close')
    expect([exitCode, written]).toEqual([code, output])
    await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), 20_000)
  },
)
