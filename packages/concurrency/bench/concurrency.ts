import { setImmediate as nextTurn } from 'node:timers/promises'
/**
 * The cost of the functions of this package in one process: `pnpm bench concurrency [--only TEXT]
 * [--rounds N] [--ms N] [--json]`. Each figure is the median of the rounds, with the slowest round.
 */
import { parseArgs } from 'node:util'
import {
  createBatch,
  createBulkhead,
  createDeadlines,
  createFlight,
  createRenewedLeases,
  createSingleFlight,
  createTwoGenerationMap,
} from '../src/index.ts'

const OPERATIONS = 64
const KEYS = Array.from({ length: 4_096 }, (_, i) => `key:${i}`)

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string', default: '7' },
    ms: { type: 'string', default: '100' },
    json: { type: 'boolean', default: false },
  },
})
const [rounds, roundMs] = [Number(values.rounds), Number(values.ms)]

/** Each function runs 64 operations, and may return a promise of their end. */
const cases: Record<string, () => (i: number) => unknown> = {
  'single flight: start and complete a flight'() {
    const flights = createSingleFlight<number>({
      create: (key) => createFlight(key),
      start(flight) {
        queueMicrotask(() => flights.complete(flight, 1))
        return undefined
      },
    })
    return (i) => Promise.all(keysFrom(i).map((key) => flights.join(key)))
  },
  'single flight: join a flight'() {
    const flights = createSingleFlight<number>({
      create: (key) => createFlight(key),
      start: () => undefined,
    })
    void flights.join('key')
    return () => {
      for (let n = 0; n < OPERATIONS; n += 1) void flights.join('key')
    }
  },
  'batch: a call in a batch of 64'() {
    const call = createBatch<string, string>(OPERATIONS, async (items) => items)
    return (i) => Promise.all(keysFrom(i).map(call))
  },
  'bulkhead: a call that need not wait'() {
    const run = createBulkhead({ width: OPERATIONS, maxWaitMs: 200 })
    return (i) => Promise.all(keysFrom(i).map((key) => run(async () => key)))
  },
  'two-generation map: a hit'() {
    const map = createTwoGenerationMap<number>(2 * KEYS.length)
    for (const [i, key] of KEYS.entries()) map.set(key, i)
    return (i) => {
      for (const key of keysFrom(i)) map.get(key)
    }
  },
  'two-generation map: a new entry'() {
    const map = createTwoGenerationMap<number>(KEYS.length / 2)
    return (i) => {
      for (const key of keysFrom(i)) map.set(key, i)
    }
  },
  'renewed leases: hold and release'() {
    const leases = createRenewedLeases<string>({ task: 'bench', renew: () => undefined })
    return (i) => {
      for (const key of keysFrom(i)) leases.hold(key, 60_000)()
    }
  },
  'deadlines: a call in time'() {
    const deadlines = createDeadlines({ ms: 250 })
    return (i) => Promise.all(keysFrom(i).map((key) => deadlines.run(Promise.resolve(key))))
  },
}

function keysFrom(i: number): string[] {
  const first = (i * OPERATIONS) % KEYS.length
  return KEYS.slice(first, first + OPERATIONS)
}

/** The time of one operation in a round, in us. */
async function measure(run: (i: number) => unknown): Promise<number> {
  const startedMs = performance.now()
  let turns = 0
  let passedMs = 0
  while (passedMs < roundMs) {
    for (let i = 0; i < 100; i += 1) {
      const ended = run(turns)
      if (ended instanceof Promise) await ended
      turns += 1
    }
    passedMs = performance.now() - startedMs
  }
  return (passedMs * 1_000) / (turns * OPERATIONS)
}

const chosen = Object.entries(cases).filter(
  ([title]) => values.only.length === 0 || values.only.some((text) => title.includes(text)),
)
const runs = chosen.map(([title, open]) => ({ title, run: open(), figures: [] as number[] }))
for (const { run } of runs) await measure(run) // the compiler has seen each of them
for (let round = 0; round < rounds; round += 1) {
  for (const { run, figures } of runs) {
    await nextTurn()
    figures.push(await measure(run))
  }
}
const results = runs.map(({ title, figures }) => {
  const sorted = figures.toSorted((a, b) => a - b)
  return { title, us: sorted[Math.floor(sorted.length / 2)] ?? 0, slowestUs: sorted.at(-1) ?? 0 }
})
if (values.json) console.log(JSON.stringify(results))
else {
  console.log('| operation | us | slowest round, us |\n| --- | --- | --- |')
  for (const { title, us, slowestUs } of results) {
    console.log(`| ${title} | ${us.toFixed(3)} | ${slowestUs.toFixed(3)} |`)
  }
}
