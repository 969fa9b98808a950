/**
 * The instance processes of the bench: our limiter, its peers and the floors, each as its
 * documentation sets it up. WORKLOAD names the check. Peers check several dimensions by
 * concurrent calls, one for each.
 */
import { type OpenContender, serveContenders } from '@repo/testing/bench'
import { rateLimit } from '../src/http/hono.ts'
import { connectLimiterRedis, createRateLimiter } from '../src/index.ts'
import { serveHono } from './hono.ts'
import { blockingPeers, connectPeers, type CountOne, PEERS } from './peers.ts'
import { dimensionsOf, NAMES, policies, QUOTA, type Workload, workloadOf } from './workloads.ts'

const workload = workloadOf(process.env['WORKLOAD'] ?? '')

async function openLimiter(redisUrl: string) {
  const redis = connectLimiterRedis({ url: redisUrl, name: 'bench', deadlineMs: 5_000 })
  await redis.ready(30_000)
  const limiter = createRateLimiter({ redis, policies })
  async function close() {
    await limiter.close()
    await redis.close()
  }
  return { limiter, close }
}

async function openOurs(redisUrl: string, names: string[]) {
  const { limiter, close } = await openLimiter(redisUrl)
  const expected = workload === 'blocked' ? 'limited' : 'allowed'
  if (workload === 'blocked') await limiter.block(names, { user: 'blocked' }, 3_600_000)
  async function run(i: number) {
    const { outcome, degraded } = await limiter.take(names, dimensionsOf(workload, i))
    if (degraded || outcome !== expected) throw new Error(`A check is ${outcome}`)
  }
  return { run, close }
}

function namesOf(chosen: Workload): string[] {
  if (chosen === 'four') return NAMES
  return chosen === 'blocked' ? ['block'] : ['api-user']
}

function openPeer(name: string): OpenContender {
  return async ({ redisUrl }) => {
    const connected = await connectPeers(redisUrl, QUOTA)
    const blocking = blockingPeers(connected.bare)
    const count = workload === 'blocked' ? blocking[name] : connected.peers[name]
    if (!count) throw new Error(`${name} has no ${workload}`)
    return { run: (i) => checkOf(count, i), close: connected.close }
  }
}

function checkOf(count: CountOne, i: number): Promise<unknown> {
  const values = Object.values(dimensionsOf(workload, i))
  const [only = ''] = values
  if (values.length === 1) return count('one', only)
  return Promise.all(values.map((value, d) => count(NAMES[d] ?? '', value)))
}

serveContenders({
  ours: ({ redisUrl }) => openOurs(redisUrl, namesOf(workload)),
  'ours, leased': ({ redisUrl }) => openOurs(redisUrl, ['leased']),
  'bare EVALSHA': async ({ redisUrl }) => {
    const { evalAll, close } = await connectPeers(redisUrl, QUOTA)
    return { run: (i) => evalAll(Object.values(dimensionsOf(workload, i))), close }
  },
  'Hono alone': () => ({ run: serveHono() }),
  'Hono with ours': async ({ redisUrl }) => {
    const { limiter, close } = await openLimiter(redisUrl)
    let i = 0
    const dimensions = () => dimensionsOf(workload, (i += 1))
    return { run: serveHono(rateLimit({ limiter, policies: NAMES, dimensions })), close }
  },
  'Hono with rate-limiter-flexible': async ({ redisUrl }) => {
    const { peers, close } = await connectPeers(redisUrl, QUOTA)
    const count = peers['rate-limiter-flexible']
    if (!count) throw new Error('rate-limiter-flexible is missing')
    let i = 0
    const middleware = serveHono(async (_, next) => {
      await checkOf(count, (i += 1))
      await next()
    })
    return { run: middleware, close }
  },
  ...Object.fromEntries(PEERS.map((name) => [name, openPeer(name)])),
})
