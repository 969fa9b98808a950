/**
 * The processor time of the log line of a request, in one process: a part of `pnpm bench observability`.
 * `file` and `pipe` include the write to the kernel. The pipe is one of another process.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createLineOutput, createLog, logRequest, readRequestContext } from '../src/index.ts'
import { roundMs, runCases } from './cases.ts'

/** Lines that are written in one turn of the event loop. */
const LINES = 16

const base = { app: 'gateway', instance: 'gateway-1', version: '1.0.0' }
const context = readRequestContext({ headers: {} })
const served = {
  ...{ context, method: 'GET', path: '/api/payments/0198b9d2', status: 200, isCut: false },
  ...{ ms: 3.4, bytes: 514 },
}
Object.assign(context, {
  ...{ route: '/api/payments/{id}', upstream: 'payments-2', tries: 1, user: 'gI2Dk0xWd3vXbQ5n' },
})

const discarding = createLog({ ...base, destination: { write: () => undefined } })

function toFd(fd: number) {
  const output = createLineOutput({ fd, onResume: () => undefined })
  return createLog({ ...base, destination: output })
}

/** The number of the pipe in the process that measures it. */
const PIPE = 3

if (process.env['BENCH_PIPE'] === undefined) {
  const file = toFd(openSync('/dev/null', 'w'))
  await runCases('log line, us', {
    'line of a request': () => measure(() => logRequest(discarding, served)),
    'line of pino with the same fields': () =>
      measure(() =>
        discarding.info({ event: 'request', ...served, context: undefined }, 'GET 200'),
      ),
    'line of a request to a file': () => measure(() => logRequest(file, served)),
  })
  await measurePipe()
} else {
  const pipe = toFd(PIPE)
  await runCases('log line, us', {
    'line of a request to a pipe': () => measure(() => logRequest(pipe, served)),
  })
}

/** Measures in another process, with a pipe that this one reads. */
async function measurePipe(): Promise<void> {
  const child = spawn(process.execPath, process.argv.slice(1), {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, BENCH_PIPE: String(PIPE) },
  })
  const lines = child.stdio[PIPE]
  if (lines instanceof Readable) lines.resume()
  await once(child, 'exit')
}

/** The processor time of one line in a round, in us. */
async function measure(run: () => unknown): Promise<number> {
  const began = process.cpuUsage()
  const endAt = performance.now() + roundMs
  let lines = 0
  while (performance.now() < endAt) {
    for (let line = 0; line < LINES; line += 1) run()
    lines += LINES
    await nextTurn()
  }
  const { user, system } = process.cpuUsage(began)
  return (user + system) / lines
}
