/**
 * The processor time of traces in one process: a part of `pnpm bench observability`. The receiver is
 * another process, which is not counted.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  createSampler,
  createTraces,
  endRequestSpan,
  inRequest,
  noteAttribute,
  passOn,
  readRequestContext,
  type Traces,
  traceQuery,
  traceRedisCall,
} from '../src/index.ts'
import { roundMs, runCases } from './cases.ts'

const program = new URL('trace-receiver.ts', import.meta.url).pathname
const receiver = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] })
const [line] = await once(receiver.stdout, 'data')
const settings = { url: `${String(line).trim()}/v1/traces` }
const end = { method: 'GET', status: 200, isCut: false }

function open(): Traces {
  return createTraces({ settings, app: 'a', instance: 'a-1', version: '1', everyMs: 600_000 })
}

/** A request of the gateway: its context, its facts, a query and two calls of Redis. */
function serve(sample: () => boolean, traces?: Traces, isFull = false): void {
  const req = { headers: {}, rawHeaders: ['host', 'a'] }
  const context = readRequestContext(req, sample)
  inRequest(context, () => {
    passOn(context, req)
    traces?.begin(context)
    context.route = '/api/payments/{id}'
    if (isFull) {
      noteAttribute('threefold.session.outcome', 'valid')
      noteAttribute('threefold.session.tier', 'memo')
      noteAttribute('threefold.limit.outcome', 'allowed')
      traceQuery(() => 'find payment')?.()
      traceRedisCall()?.('get')
      traceRedisCall()?.('evalsha')
    }
    if (context.span) endRequestSpan(context, end)
  })
}

/** The processor time of this thread, in us. Other processes on the machine do not change it. */
function threadUs(): number {
  const { user, system } = process.threadCpuUsage()
  return user + system
}

/** The processor time of one request in a round, in us. */
function measure(run: () => void): number {
  const until = performance.now() + roundMs
  const began = threadUs()
  let count = 0
  while (performance.now() < until) {
    for (let i = 0; i < 5_000; i += 1) run()
    count += 5_000
  }
  return (threadUs() - began) / count
}

/** The processor time for the export of one span, in us. */
async function measureExport(spans: number): Promise<number> {
  const traces = open()
  for (let n = 0; n < spans; n += 1) serve(() => true, traces)
  const began = process.cpuUsage()
  await traces.close()
  const { user, system } = process.cpuUsage(began)
  return (user + system) / spans
}

/** The longest turn of the event loop while a full queue is exported, in ms of processor time. */
async function longestTurnMs(): Promise<number> {
  const traces = open()
  for (let n = 0; n < 2_048; n += 1) serve(() => true, traces, true)
  const state = { isDone: false, longestUs: 0 }
  const closed = traces.close().finally(() => {
    state.isDone = true
  })
  let before = threadUs()
  while (!state.isDone) {
    await nextTurn()
    const now = threadUs()
    state.longestUs = Math.max(state.longestUs, now - before)
    before = now
  }
  await closed
  return state.longestUs / 1_000
}

const traces = open()
const always = () => true
const one = createSampler(0.01)
await runCases('traces', {
  'request without traces, us': () => measure(() => serve(always)),
  'request with all hooks, not recorded, us': () => measure(() => serve(always, undefined, true)),
  'request at 1 %, us': () => measure(() => serve(one, traces)),
  'request at 1 % with all hooks, us': () => measure(() => serve(one, traces, true)),
  'request at 100 %, us': () => measure(() => serve(always, traces)),
  'request at 100 % with all hooks (2 spans), us': () => measure(() => serve(always, traces, true)),
  'export of a span, 100 at once, us': () => measureExport(100),
  'export of a span, 500 at once, us': () => measureExport(500),
  'export of a span, 2,000 at once, us': () => measureExport(2_000),
  'longest turn in the export of 2,048 spans, ms': longestTurnMs,
})
receiver.kill()
await traces.close()
