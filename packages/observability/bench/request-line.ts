/**
 * The cost of the log line of a request, in one process: `node packages/observability/bench/request-line.ts
 * [--rounds N] [--ms N] [--json]`. Each figure is the median of the rounds, with the slowest round.
 * `file` and `pipe` include the write to the kernel.
 */
import { spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createLineOutput, createLog, logRequest, readRequestContext } from '../src/index.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    ms: { type: 'string', default: '150' },
    json: { type: 'boolean', default: false },
    fd: { type: 'string' },
  },
})
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

const cases: Record<string, () => unknown> = {
  'line of a request': () => logRequest(discarding, served),
  'line of pino with the same fields': () =>
    discarding.info({ event: 'request', ...served, context: undefined }, 'GET 200'),
}
if (values.fd === undefined) {
  const file = toFd(openSync('/dev/null', 'w'))
  cases['line of a request to a file'] = () => logRequest(file, served)
} else {
  const pipe = toFd(Number(values.fd))
  for (const name of Object.keys(cases)) delete cases[name]
  cases['line of a request to a pipe'] = () => logRequest(pipe, served)
}

const report = values.fd === '1' ? process.stderr : process.stdout
for (const [name, run] of Object.entries(cases)) {
  const figures: number[] = []
  for (let round = 0; round < Number(values.rounds); round += 1) figures.push(await measure(run))
  figures.sort((a, b) => a - b)
  const medianUs = figures[figures.length >> 1] ?? 0
  const slowestUs = figures.at(-1) ?? 0
  if (values.json) report.write(`${JSON.stringify({ name, medianUs, slowestUs })}\n`)
  else {
    const slowest = `slowest round ${slowestUs.toFixed(2)} us`
    report.write(`${name.padEnd(36)} ${medianUs.toFixed(2)} us   ${slowest}\n`)
  }
}
if (values.fd === undefined) await measurePipe()

/** Measures in another process, whose stdout is a pipe that this one reads. */
async function measurePipe(): Promise<void> {
  const args = [import.meta.filename, ...process.argv.slice(2), '--fd', '1']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  child.stdout.resume()
  await new Promise((resolve) => child.once('exit', resolve))
}

/** The processor time of one line in a round, in us. */
async function measure(run: () => unknown): Promise<number> {
  const began = process.cpuUsage()
  const endAt = performance.now() + Number(values.ms)
  let lines = 0
  while (performance.now() < endAt) {
    for (let line = 0; line < LINES; line += 1) run()
    lines += LINES
    await nextTurn()
  }
  const { user, system } = process.cpuUsage(began)
  return (user + system) / lines
}
