/**
 * Our limiter beside its peers and the floors, in one run: `node bench/ratelimit.ts`; REDIS_URL for a
 * server of your own. Peers check four dimensions as they can: by four calls at once.
 * `four`, `one`, `blocked`, `hono` or `memory` after it runs that part only.
 */
import { startValkey } from '@repo/local/valkey'
import { connectLimiterRedis, createRateLimiter, type PolicyInput } from '../src/index.ts'
import { measureHono } from './hono.ts'
import { type Cost, line, measure } from './measure.ts'
import { bytesPerKey } from './memory.ts'
import { blockingPeers, connectPeers, type CountOne, WINDOW_MS } from './peers.ts'

const only = process.argv[2]
const QUOTA = 16_000_000
const FLEXIBLE = 'rate-limiter-flexible'
const own = process.env['REDIS_URL'] === undefined ? await startValkey() : undefined
const url = process.env['REDIS_URL'] ?? own?.url ?? ''
console.log(`Node ${process.version}, ${own?.kind ?? url}`)

const dimensions = ['ip', 'user', 'client', 'route'] as const
const names = dimensions.map((it) => `api-${it}`)
const policies: PolicyInput[] = dimensions.map((by) => ({
  ...{ name: `api-${by}`, quota: QUOTA, windowMs: WINDOW_MS, by },
}))
const lease = { units: 1_000, ms: 100 }
policies.push({ name: 'leased', quota: QUOTA, windowMs: WINDOW_MS, by: 'user', lease })
policies.push({ name: 'block', quota: 1, windowMs: 600_000, by: 'user' })
const redis = connectLimiterRedis({ url, name: 'bench', deadlineMs: 5_000 })
await redis.ready()
const limiter = createRateLimiter({ redis, policies })
const connected = await connectPeers(url, QUOTA)
const { peers, bare } = connected

const id = (i: number, of: number) => `user-${String(i % of).padStart(27, '0')}`
const of = (i: number) => ({
  ip: `192.0.${(i >> 8) % 40}.${i & 255}`,
  user: id(i * 7, 10_000),
  client: id(i, 100),
  route: `GET /api/r${i % 10}`,
})

/** The same check by everybody. */
function beside(
  ours: (i: number) => Promise<unknown>,
  theirs: (i: number, count: CountOne) => Promise<unknown>,
) {
  const others = Object.entries(peers).map(([name, count]) => ({
    name,
    check: (i: number) => theirs(i, count),
  }))
  return [{ name: 'ours', check: ours }, ...others]
}

function show(title: string, costs: Map<string, Cost>) {
  console.table(
    [...costs].map(([name, { perSecond, clientUs, serverUs }]) => ({
      [title]: name,
      'checks/s': Math.round(perSecond),
      'client CPU µs': clientUs.toFixed(2),
      'server CPU µs': serverUs.toFixed(2),
    })),
  )
}

function ratio(costs: Map<string, Cost>, what: keyof Cost, to = FLEXIBLE): number {
  return (costs.get('ours')?.[what] ?? Number.NaN) / (costs.get(to)?.[what] ?? Number.NaN)
}

const targets: ReturnType<typeof line>[] = []

const four = beside(
  (i) => limiter.take(names, of(i)),
  (i, count) => Promise.all(Object.values(of(i)).map((value, d) => count(names[d] ?? '', value))),
)
for (const width of only && only !== 'four' ? [] : [1, 64, 256]) {
  const costs = await measure(four, { redis: bare, width })
  show(`4 dimensions, ${width} in flight`, costs)
  if (width !== 64) continue
  targets.push(
    line('4 dimensions, checks/s', ratio(costs, 'perSecond'), '>=', 4),
    line('4 dimensions, client CPU', ratio(costs, 'clientUs'), '<=', 0.125),
    line('4 dimensions, server CPU', ratio(costs, 'serverUs'), '<=', 0.45),
  )
}

const one = ['api-user']
for (const keys of only && only !== 'one' ? [] : [10_000, 1]) {
  const contenders = beside(
    (i) => limiter.take(one, { user: id(i, keys) }),
    (i, count) => count('one', id(i, keys)),
  )
  if (keys === 1) {
    const check = (i: number) => limiter.take(['leased'], { user: id(i, keys) })
    contenders.splice(1, 0, { name: 'ours, leased', check })
  }
  for (const width of [1, 64, 256]) {
    const costs = await measure(contenders, { redis: bare, width })
    show(`1 dimension, ${keys} keys, ${width} in flight`, costs)
    if (keys > 1 && width === 64) {
      targets.push(
        line('10,000 keys, checks/s', ratio(costs, 'perSecond'), '>=', 1.8),
        line(
          '10,000 keys, of pipelined INCR',
          ratio(costs, 'perSecond', 'INCR, auto-pipelined'),
          '>=',
          1.2,
        ),
      )
    }
    if (keys === 1 && width === 256) {
      targets.push(line('hot key, checks/s', ratio(costs, 'perSecond'), '>=', 5))
    }
  }
}

if (!only || only === 'blocked') {
  const blocking = Object.entries(blockingPeers(bare)).map(([name, count]) => ({
    name,
    check: () => count('', 'blocked'),
  }))
  const block = ['block']
  const who = { user: 'blocked' }
  await limiter.block(block, who, 3_600_000)
  const blocked = await measure(
    [{ name: 'ours', check: () => limiter.take(block, who) }, ...blocking],
    {
      redis: bare,
      width: 64,
    },
  )
  show('a blocked key', blocked)
  targets.push(line('blocked key, checks/s', ratio(blocked, 'perSecond'), '>=', 3))
}

if (!only || only === 'hono') {
  const hono = await measureHono({ limiter, names, of, flexible: peers[FLEXIBLE], redis: bare })
  console.table(hono.table)
  targets.push(line('CPU of the limiter in a Hono request', hono.share, '<=', 0.25))
}

if (!only || only === 'memory') {
  const bytes = await bytesPerKey(bare, limiter)
  console.table(bytes)
  targets.push(
    line('bytes per key, sliding, all sub-windows used', bytes['sliding, full'] ?? NaN, '<=', 270),
  )
}

console.table(targets)
await limiter.close()
await redis.close()
connected.close()
await own?.stop()
