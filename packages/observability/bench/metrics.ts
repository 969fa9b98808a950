/** The time of metrics in one process: a part of `pnpm bench observability`. */
import {
  createHistogram,
  createMetrics,
  inRequest,
  noteRoute,
  readRequestContext,
} from '../src/index.ts'
import { Span } from '../src/trace/span.ts'
import { roundMs, runCases } from './cases.ts'

const ROUTES = Array.from({ length: 8 }, (_, i) => `/api/part-${i}/{id}`)
const SECONDS = Array.from({ length: 1_024 }, (_, i) => (i % 97) / 997)

const empty = readRequestContext({ headers: {} })

function createRequests(isRecorded: boolean) {
  const metrics = createMetrics({ app: 'bench', instance: 'bench-1', maxCombinations: 28 })
  const contexts = ROUTES.map((route) => {
    const context = readRequestContext({ headers: {} })
    const span = new Span({ add: () => undefined }, '', 'server', context)
    return { ...context, route, ...(isRecorded && { span }) }
  })
  return { metrics, contexts }
}

function records({ isRecorded = false, routes = ROUTES.length } = {}) {
  const { metrics, contexts } = createRequests(isRecorded)
  return (i: number) => {
    const context = contexts[i % routes]
    if (context) metrics.requests.record('GET', 200, SECONDS[i & 1_023] ?? 0, context)
  }
}

function beyondTheBound() {
  const { metrics, contexts } = createRequests(false)
  const count = (route: string) => metrics.requests.record('GET', 200, 0.01, { ...empty, route })
  for (let i = 0; i < 100; i += 1) count(`/${i}`)
  return (i: number) => {
    const request = contexts[i % ROUTES.length]
    if (request) metrics.requests.record('GET', 200, 0.01, request)
  }
}

const histogram = createHistogram({ name: 'threefold_bench_seconds', help: 'Bench' })

const cases: Record<string, (i: number) => unknown> = {
  'count a request': records(),
  'count a request with an exemplar': records({ isRecorded: true }),
  'count a request beyond the bound': beyondTheBound(),
  'observe a value of a histogram': (i) => histogram.observe(SECONDS[i & 1_023] ?? 0),
  'note a route': (i) => inRequest(empty, () => noteRoute(ROUTES[i & 7] ?? '')),
  'enter a request, without a route': () => inRequest(empty, () => undefined),
}

/** The time of one operation in a round, in us. */
function measure(run: (i: number) => unknown): number {
  const began = performance.now()
  let [count, passedMs] = [0, 0]
  while (passedMs < roundMs) {
    for (let i = 0; i < 10_000; i += 1) run(i)
    count += 10_000
    passedMs = performance.now() - began
  }
  return (passedMs * 1_000) / count
}

await runCases(
  'metrics, us',
  Object.fromEntries(Object.entries(cases).map(([name, run]) => [name, () => measure(run)])),
)
