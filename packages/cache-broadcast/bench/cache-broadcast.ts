/**
 * Our cache and bus beside their peers and the floors (a Map, a bare client, PUBLISH):
 * `pnpm bench cache-broadcast [--only TEXT]`. Targets are those of docs/benchmarks.md.
 */
import { openBench, target } from '@repo/testing/bench'
import { measureBroadcast, measureInvalidations } from './broadcast.ts'
import { measureMemory } from './memory.ts'

const bench = await openBench('cache-broadcast', new URL('instance.ts', import.meta.url))

const hits = { title: 'hit in memory', env: { WORKLOAD: 'hits' }, inFlight: 1 }
await bench.closed({
  ...hits,
  title: 'synchronous hit in memory',
  peer: 'Map.get',
  contenders: ['ours peek', 'Map.get', 'lru-cache get', 'layered-loader getInMemoryOnly'],
  targets: (found) => [
    target('synchronous hit / Map.get', found.ratio('ours peek', 'clientUs'), '<=', 2.5),
  ],
})
await bench.closed({
  ...hits,
  title: 'awaited hit in memory',
  peer: 'async Map.get',
  contenders: [
    ...['ours get', 'async Map.get', 'layered-loader get', 'bentocache get, raw'],
    ...['bentocache get, default', 'cacheable get', 'cache-manager get', 'node-redis client cache'],
  ],
  targets: (found) => [
    target('awaited hit / async function', found.ratio('ours get', 'clientUs'), '<=', 1),
  ],
})

const hit = { title: 'hit in Redis', env: { WORKLOAD: 'hit' }, peer: 'ioredis' }
const clients = ['ours', 'ioredis', 'ioredis, auto-pipelined', 'layered-loader']
for (const [inFlight, limit] of [
  [1, 2],
  [64, 1.1],
] as const) {
  await bench.closed({
    ...hit,
    contenders: [...clients, 'bentocache', 'node-redis'],
    inFlight,
    targets: (found) => [
      target(
        ...[`hit in Redis / GET, ${inFlight} in flight`, found.ratio('ours', 'clientUs')],
        ...(['<=', limit] as const),
      ),
    ],
  })
}
await bench.open({ ...hit, contenders: clients })
await bench.highest({ ...hit, contenders: clients })

const miss = { title: 'miss with a load', env: { WORKLOAD: 'miss' }, peer: 'layered-loader' }
await bench.closed({
  ...miss,
  contenders: ['ours', 'layered-loader', 'bentocache'],
  inFlight: 64,
  targets: (found) => [
    target('miss / layered-loader, 64 in flight', found.ratio('ours', 'clientUs'), '<=', 0.8),
  ],
})
await bench.open({ ...miss, contenders: ['ours', 'layered-loader'] })
await bench.highest({ ...miss, contenders: ['ours', 'layered-loader'] })

const set = { title: 'set', env: { WORKLOAD: 'set' }, peer: 'ioredis' }
await bench.closed({
  ...set,
  contenders: [...clients, 'bentocache'],
  inFlight: 64,
  targets: (found) => [target('set / SET, 64 in flight', found.ratio('ours', 'clientUs'), '<=', 2)],
})
await bench.open({ ...set, contenders: ['ours', 'ioredis'] })

await bench.closed({
  title: 'invalidate',
  env: { WORKLOAD: 'invalidate' },
  peer: 'ioredis',
  inFlight: 64,
  contenders: ['ours', 'ioredis', 'layered-loader', 'bentocache'],
})
await bench.section('invalidations', () => measureInvalidations(bench.server.url))

for (const [instances, limit] of [
  [30, 150],
  [60, 250],
] as const) {
  await bench.open({
    title: 'barriers',
    contenders: ['barrier'],
    peer: 'barrier',
    instances,
    // 1,000 barriers per second, over all instances.
    rates: [1_000 / instances],
    generator: false,
    warmUp: false,
    targets: (found) => [
      target(
        `barrier, ${instances} instances, Redis µs`,
        ...([found.figure('barrier', 'redisUs'), '<=', limit] as const),
      ),
    ],
  })
}
await bench.section('broadcast', () => measureBroadcast(bench.server.url, bench.options.rounds))
await bench.section('memory of entries', measureMemory)
await bench.close()
