/**
 * The cost of the figures of one query, in one process: `node packages/database/bench/figures.ts`. The
 * queries complete at once, so the difference to the same calls without figures is the cost. The median
 * of nine rounds. Exits with 1 above 1 us.
 */
import { createHistogram } from '@repo/observability'
import { Client } from 'pg'
import { createQueryStats } from '../src/figures/query-stats.ts'

const ROUNDS = 9
const QUERIES = 100_000
const TARGET_US = 1

type Done = (error: unknown, result: unknown) => void

function completeAtOnce(_text: string, _values: unknown, done?: Done): unknown {
  if (!done) return Promise.resolve(0)
  done(undefined, 0)
  return undefined
}

/** A connection whose queries complete at once. */
function createClient() {
  return Object.assign(new Client(), { release: () => undefined, query: completeAtOnce })
}

const bare = createClient()
const counted = createClient()
const stats = createQueryStats()
const seconds = createHistogram({ name: 'threefold_bench_seconds', help: 'Queries' })
stats.recordTimes((time) => seconds.observe(time))
stats.watch(counted)

/** Returns the time of one query in us. */
async function measure(client: { query: unknown }, hasCallback: boolean): Promise<number> {
  const { query } = client
  if (typeof query !== 'function') throw new TypeError('the client has no query')
  const startedMs = performance.now()
  if (hasCallback) {
    for (let i = 0; i < QUERIES; i += 1) query('select', [i], () => undefined)
  } else for (let i = 0; i < QUERIES; i += 1) await query('select', [i])
  return ((performance.now() - startedMs) * 1_000) / QUERIES
}

let isWithin = true
for (const hasCallback of [true, false]) {
  const found: number[] = []
  for (let round = 0; round <= ROUNDS; round += 1) {
    const bareUs = await measure(bare, hasCallback)
    const us = (await measure(counted, hasCallback)) - bareUs
    // The first round is a warm-up.
    if (round > 0) found.push(us)
  }
  const sorted = found.toSorted((a, b) => a - b)
  const medianUs = sorted[ROUNDS >> 1] ?? Infinity
  const kind = hasCallback ? 'callback' : 'promise'
  const range = `${sorted[0]?.toFixed(3)} to ${sorted.at(-1)?.toFixed(3)}`
  console.log(`figures of a query with a ${kind}: ${medianUs.toFixed(3)} us (${range})`)
  isWithin &&= medianUs <= TARGET_US
}
process.exitCode = isWithin ? 0 : 1
