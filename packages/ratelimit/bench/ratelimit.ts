/**
 * Our limiter beside its peers and the floors: `pnpm bench ratelimit [--only TEXT]`. Targets are
 * those of docs/benchmarks.md.
 */
import { openBench, target } from '@repo/testing/bench'
import { measureMemory } from './memory.ts'

const bench = await openBench('ratelimit', new URL('instance.ts', import.meta.url))
const peer = 'rate-limiter-flexible'
const floor = 'bare EVALSHA'
const main = ['ours', peer, floor]
const others = ['@upstash/ratelimit', 'rate-limit-redis', '@fastify/rate-limit']

for (const [workload, title, targets] of [
  ['one', '1 dimension', { client: 0.9, redis: 1 }],
  ['four', '4 dimensions', { client: 0.6, redis: 0.7 }],
] as const) {
  const section = { title, contenders: main, peer, env: { WORKLOAD: workload } }
  await bench.open({
    ...section,
    targets: (found, rate) =>
      rate === 1_000
        ? [
            target(`${title}, open, client`, found.ratio('ours', 'clientUs'), '<=', targets.client),
            target(`${title}, open, Redis`, found.ratio('ours', 'redisUs'), '<=', targets.redis),
            target(
              ...[`${title}, open, client, of ${floor}`, found.ratio('ours', 'clientUs', floor)],
              ...(['<=', 1.15] as const),
            ),
          ]
        : [],
  })
  await bench.highest(section)
  for (const inFlight of [1, 64]) {
    await bench.closed({
      ...section,
      contenders: [...main, ...others, 'EVALSHA per dimension', 'INCR, auto-pipelined'],
      inFlight,
      targets: (found) =>
        inFlight === 64 && workload === 'four'
          ? [
              target(`${title}, closed, client`, found.ratio('ours', 'clientUs'), '<=', 0.16),
              target(`${title}, closed, Redis`, found.ratio('ours', 'redisUs'), '<=', 0.42),
            ]
          : [],
    })
  }
}
await bench.closed({
  title: 'hot key',
  contenders: ['ours', 'ours, leased', peer, 'INCR, auto-pipelined'],
  peer,
  inFlight: 256,
  env: { WORKLOAD: 'hot' },
})
await bench.closed({
  title: 'blocked key',
  contenders: ['ours', peer, '@upstash/ratelimit'],
  peer,
  inFlight: 64,
  env: { WORKLOAD: 'blocked' },
})
await bench.closed({
  title: 'request of Hono, 4 dimensions',
  inFlight: 64,
  env: { WORKLOAD: 'four' },
  contenders: ['Hono alone', 'Hono with ours', 'Hono with rate-limiter-flexible'],
  peer: 'Hono with rate-limiter-flexible',
  targets: (found) => [
    target(
      'CPU of the limiter in a Hono request',
      found.ratioAbove('Hono with ours', 'clientUs', 'Hono alone'),
      ...(['<=', 0.25] as const),
    ),
  ],
})
await bench.section('memory of Redis', () => measureMemory(bench.server.url))
await bench.close()
