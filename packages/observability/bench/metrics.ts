/**
 * The cost of metrics in one process: `node packages/observability/bench/metrics.ts [--rounds N]
 * [--ms N] [--json]`. Each figure is the median of the rounds, with the slowest round.
 */
import { parseArgs } from 'node:util'
import {
  createHistogram,
  createMetrics,
  inRequest,
  noteRoute,
  readRequestContext,
} from '../src/index.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    ms: { type: 'string', default: '100' },
    json: { type: 'boolean', default: false },
  },
})

const ROUTES = Array.from({ length: 8 }, (_, i) => `/api/part-${i}/{id}`)
const SECONDS = Array.from({ length: 1_024 }, (_, i) => (i % 97) / 997)

const empty = readRequestContext({ headers: {} })

function createRequests(isRecorded: boolean) {
  const metrics = createMetrics({ app: 'bench', instance: 'bench-1', maxCombinations: 28 })
  const contexts = ROUTES.map((route) => ({
    ...readRequestContext({ headers: {} }, () => isRecorded),
    route,
  }))
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
  while (passedMs < Number(values.ms)) {
    for (let i = 0; i < 10_000; i += 1) run(i)
    count += 10_000
    passedMs = performance.now() - began
  }
  return (passedMs * 1_000) / count
}

const figures = new Map<string, number[]>()
for (const [, run] of Object.entries(cases)) measure(run)
for (let round = 0; round < Number(values.rounds); round += 1) {
  for (const [title, run] of Object.entries(cases)) {
    figures.set(title, [...(figures.get(title) ?? []), measure(run)])
  }
}
const results = [...figures].map(([title, found]) => {
  const sorted = found.toSorted((a, b) => a - b)
  return { title, us: sorted[sorted.length >> 1] ?? 0, slowestUs: sorted.at(-1) ?? 0 }
})
if (values.json) console.log(JSON.stringify(results))
else {
  console.log('| operation | us | slowest round, us |\n| --- | --- | --- |')
  for (const { title, us, slowestUs } of results) {
    console.log(`| ${title} | ${us.toFixed(3)} | ${slowestUs.toFixed(3)} |`)
  }
}
