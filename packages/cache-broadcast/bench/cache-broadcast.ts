/**
 * Our cache and bus beside their peers and beside the floors (a Map, a bare client, PUBLISH), in one
 * run: short rounds take turns, so that a busy machine disturbs all alike, and the least counts.
 * `node bench/cache-broadcast.ts [hits|store|broadcast|memory]`; REDIS_URL for a server of your own.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startValkey } from '@repo/local/valkey'
import { connectRedis } from '@repo/redis'
import { leastCpu } from '@repo/testing/measure'
import { createBus, createCache } from '../src/index.ts'
import { createMemoryBus } from '../src/memory.ts'
import { measureBroadcast } from './broadcast.ts'
import { hitSubjects } from './hits.ts'
import { line } from './measure.ts'
import { invalidatedPerSecond, storeSubjects } from './store.ts'

const only = process.argv[2]
const own = process.env['REDIS_URL'] === undefined ? await startValkey() : undefined
const url = process.env['REDIS_URL'] ?? own?.url ?? ''
console.log(`Node ${process.version}, ${own?.kind ?? url}`)
const redis = connectRedis({ url, name: 'bench', deadlineMs: 5_000 })
await redis.ready()
const bus = createBus({ redis, name: 'bench', instance: 'a' })
bus.on('bench-wait', () => undefined)
await bus.ready()

/** A lease that outlasts a run which leaves the event loop no turn. */
async function settle() {
  do await pause(5)
  while (bus.health().leaseMsLeft < 500)
}

function ratio(costs: Map<string, number>, of: string, to: string): number {
  return (costs.get(of) ?? Number.NaN) / (costs.get(to) ?? Number.NaN)
}

function at(costs: Map<string, number>, name: string): number {
  return costs.get(name) ?? Number.NaN
}

const targets: ReturnType<typeof line>[] = []

if (!only || only === 'hits') {
  const cache = createCache({
    bus,
    name: 'hits',
    load: async () => undefined,
    parse: () => ({ id: 'u', name: '', roles: ['user'], orgId: '' }),
    localTtlMs: 600_000,
  })
  const { subjects, close } = await hitSubjects(cache, url)
  const costs = await leastCpu(subjects, 6, settle)
  await close()
  const map = at(costs, 'Map.get')
  console.table(
    subjects.map(({ name }) => ({
      'hit in memory': name,
      'CPU ns': (at(costs, name) * 1_000).toFixed(1),
      'of Map.get': (at(costs, name) / map).toFixed(1),
    })),
  )
  const sync = ratio(costs, 'ours peek', 'Map.get')
  const async = ratio(costs, 'ours get', 'await async Map.get')
  const layered = ratio(costs, 'layered-loader get', 'ours get')
  const bento = ratio(costs, 'bentocache get, raw', 'ours get')
  targets.push(
    line('synchronous hit / Map.get', sync.toFixed(2), '<= 2.5', sync <= 2.5),
    line('async hit / async function', async.toFixed(2), '<= 1.0', async <= 1),
    line('layered-loader get / ours', layered.toFixed(1), '>= 1.9', layered >= 1.9),
    line('bentocache get (raw) / ours', bento.toFixed(1), '>= 14', bento >= 14),
  )
}

if (!only || only === 'store') {
  const { subjects, close } = await storeSubjects(bus, url)
  const costs = await leastCpu(subjects, 8, settle)
  await close()
  console.table(
    subjects.map(({ name }) => ({
      'with Redis, in flight': name,
      'CPU µs': at(costs, name).toFixed(1),
    })),
  )
  for (const width of [1, 64]) {
    const hit = ratio(costs, `L2 hit: ours ${width}`, `L2 hit: ioredis GET ${width}`)
    targets.push(
      line(`L2 hit / ioredis GET, ${width} in flight`, hit.toFixed(2), '<= 1.3', hit <= 1.3),
    )
  }
  const miss = at(costs, 'miss with load: ours 64')
  const drop = at(costs, 'invalidate: ours 64')
  const perSecond = await invalidatedPerSecond(bus)
  targets.push(
    line('miss with load, µs, 64 in flight', miss.toFixed(1), '<= 16', miss <= 16),
    line('invalidate, µs, 64 in flight', drop.toFixed(1), '<= 13.4', drop <= 13.4),
    line('invalidated keys/s', perSecond.toFixed(0), '>= 200000', perSecond >= 200_000),
  )
}

if (!only || only === 'broadcast') {
  const { client } = redis
  const found = await measureBroadcast(bus, client, url, 8)
  const share = found.emitUs / found.publishUs
  targets.push(
    line(
      'PUBLISH applied by all, p50 / p99 µs',
      `${found.publishUs} / ${found.publishP99Us}`,
      '',
      undefined,
    ),
    line(
      'emit applied by all, p50 / p99 µs',
      `${found.emitUs} / ${found.emitP99Us}`,
      '',
      undefined,
    ),
    line('emit / PUBLISH, p50', share.toFixed(2), '<= 1.1', share <= 1.1),
    line('barrier p50, ms', found.barrierMs.toFixed(2), '<= 1.2', found.barrierMs <= 1.2),
    line('barrier p99, ms', found.barrierP99Ms.toFixed(2), '<= 5', found.barrierP99Ms <= 5),
  )
}

if (!only || only === 'memory') {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  const collect = () => typeof gc === 'function' && Reflect.apply(gc, undefined, [])
  const entries = 100_000
  const cache = createCache({
    bus: createMemoryBus(),
    name: 'memory',
    load: async (key) => ({ key }),
    parse: () => ({ key: '' }),
    maxEntries: entries,
    maxBytes: 1e9,
  })
  collect()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < entries; i += 1) await cache.get(`user:${i}`)
  collect()
  const perEntry = (process.memoryUsage().heapUsed - before) / entries
  const estimate = cache.stats().bytes / entries
  targets.push(
    line(
      'bytes of heap per entry {key}',
      perEntry.toFixed(0),
      `${estimate.toFixed(0)} estimated`,
      undefined,
    ),
  )
}

console.table(targets)
await bus.close()
await redis.close()
await own?.stop()
