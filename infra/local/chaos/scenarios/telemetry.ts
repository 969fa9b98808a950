import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '@repo/embedded'
import { type Chain, environmentOf, untilReady } from '../chain.ts'
import { createClient, startLoop } from '../load.ts'
import { median, percentile, progress, type Row } from '../report.ts'
import { type ChainScenario, memoryMiB } from './slow.ts'

const GATEWAY = join(import.meta.dirname, '../../../../apps/gateway/src/main.ts')
const ADDRESS = '127.0.0.3'
/** 12,000 requests: their lines and spans are more than the buffers of an instance. */
const RATE = 400
/** The line of a request has its path. */
const PATH = `/api/auth/quick/${'a'.repeat(200)}`
const MEASURED_MS = 30_000
const WARM_UP_MS = 5_000
const SETTLE_MS = 5_000

/** A receiver of traces on a port of this machine. */
async function startReceiver() {
  const state = { isHanging: false }
  const server = createServer((req, res) => {
    req.resume().on('end', () => {
      if (!state.isHanging) res.end('{}')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    state,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** A gateway in front of the stand-ins that records all traces, and whose log this process reads. */
async function startGateway({ pids: [, pid = 0] }: Chain, receiver: string) {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const child = spawn(process.execPath, [GATEWAY], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      ...environmentOf(pid),
      ...{ PORT: String(port), INSTANCE_ID: 'gateway-traced', INSTANCE_URL: '' },
      ...{ OTEL_EXPORTER_OTLP_ENDPOINT: receiver, TRACE_SAMPLE_RATE: '1' },
    },
  })
  const log = child.stdout.resume()
  await untilReady(child, `${origin}/readyz`)
  return {
    ...{ origin, log, pid: child.pid ?? 0 },
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** The sum of the series of a counter. */
async function counterOf(origin: string, name: string): Promise<number> {
  const text = await (await fetch(`${origin}/metrics`)).text()
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/** The requests of one phase, and the largest memory of the gateway during it. */
async function serve({ origin, pid }: { origin: string; pid: number }, forMs: number) {
  const client = createClient(origin, ADDRESS)
  let peakMiB = 0
  const timer = setInterval(() => {
    peakMiB = Math.max(peakMiB, memoryMiB(pid, 'VmRSS'))
  }, 100)
  const loop = startLoop(client, RATE, () => ({ path: PATH }))
  await wait(forMs)
  const samples = await loop.stop()
  clearInterval(timer)
  client.close()
  const times = samples.map(({ ms }) => ms)
  const failed = samples.filter(({ status }) => status !== 200).length
  return { p99: percentile(times, 0.99), failed, peakMiB }
}

/** A receiver and a reader of the log that hang, beside the same ones that do not; rounds take turns. */
async function telemetry({ chain, rounds }: ChainScenario): Promise<Row[]> {
  const receiver = await startReceiver()
  const gateway = await startGateway(chain, receiver.url)
  const droppedSpans = () => counterOf(gateway.origin, 'threefold_trace_spans_dropped_total')
  const droppedLines = () => counterOf(gateway.origin, 'threefold_log_dropped_lines_total')
  const found = { ratios: [] as number[], growth: [] as number[], failed: 0 }
  const least = { spans: Infinity, lines: Infinity }
  try {
    await serve(gateway, WARM_UP_MS)
    for (let round = 0; round < rounds; round += 1) {
      const without = await serve(gateway, MEASURED_MS)
      const [spans, lines] = [await droppedSpans(), await droppedLines()]
      receiver.state.isHanging = true
      gateway.log.pause()
      const during = await serve(gateway, MEASURED_MS)
      least.spans = Math.min(least.spans, (await droppedSpans()) - spans)
      least.lines = Math.min(least.lines, (await droppedLines()) - lines)
      receiver.state.isHanging = false
      gateway.log.resume()
      await wait(SETTLE_MS)
      progress(`  p99 ${without.p99.toFixed(1)} ms without, ${during.p99.toFixed(1)} ms with`)
      found.ratios.push(during.p99 / without.p99)
      found.growth.push(during.peakMiB - without.peakMiB)
      found.failed += without.failed + during.failed
    }
  } finally {
    await gateway.stop()
    receiver.close()
  }
  const most = { scenario: 'telemetry', comparison: '<=' } as const
  const atLeast = { scenario: 'telemetry', comparison: '>=' } as const
  return [
    { ...most, figure: 'p99, ratio', measured: median(found.ratios), target: 1.1 },
    { ...most, figure: 'failures', measured: found.failed, target: 0 },
    { ...most, figure: 'growth of peak RSS, MiB', measured: median(found.growth), target: 32 },
    { ...atLeast, figure: 'spans dropped and counted', measured: least.spans, target: 1 },
    { ...atLeast, figure: 'log lines dropped and counted', measured: least.lines, target: 1 },
  ]
}

export const telemetryScenarios = { telemetry }
