import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { estimate, type Target, target } from '@repo/testing/bench'
import { createMemoryBus } from '../src/bus/memory-bus.ts'
import { createCache } from '../src/index.ts'

const ENTRIES = 1_000_000

/** A million entries with a key of 16 bytes and the value `{ key }`: bytes of heap, and `clear`. */
export async function measureMemory(): Promise<Target[]> {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  const collect = () => typeof gc === 'function' && Reflect.apply(gc, undefined, [])
  const cache = createCache({
    bus: createMemoryBus(),
    name: 'memory',
    maxEntries: ENTRIES,
    maxBytes: 4e9,
    load: async (key) => ({ key }),
    parse: () => ({ key: '' }),
  })
  collect()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < ENTRIES; i += 1) await cache.get(`user:${String(i).padStart(11, '0')}`)
  collect()
  const perEntry = (process.memoryUsage().heapUsed - before) / ENTRIES
  if (cache.stats().entries !== ENTRIES) throw new Error('Entries were evicted')
  const longestMs = await longestTurnMs(() => cache.clear())
  return [
    target('heap per L1 entry, bytes', estimate([perEntry]), '<=', 260),
    target('clear of 1 M entries, longest block, ms', estimate([longestMs]), '<=', 20),
  ]
}

/** The longest time for which the event loop does not turn, until some turns after the work. */
async function longestTurnMs(work: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let turnsLeft = 1_000
  let lastMs = performance.now()
  const finished = Promise.withResolvers<void>()
  function turn() {
    const now = performance.now()
    longest = Math.max(longest, now - lastMs)
    lastMs = now
    turnsLeft -= 1
    if (turnsLeft > 0) setImmediate(turn)
    else finished.resolve()
  }
  setImmediate(turn)
  await work()
  await finished.promise
  return longest
}
