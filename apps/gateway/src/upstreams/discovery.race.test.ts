import { createServer } from 'node:http'
import { createLog } from '@repo/observability'
import { createProxy, createUpstream, type Upstream } from '@repo/proxy'
import { connectRedis } from '@repo/redis'
import { createRegistry } from '@repo/service'
import { expect, test, until } from '@repo/testing'
import { targetsOf } from './discovery.ts'

const everyMs = 50
const log = createLog({ app: 'test', instance: 'test', version: '', destination: { write() {} } })

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}`
}

/** Starts an instance that serves, and announces itself in Redis. */
async function startInstance(redisUrl: string, id: string) {
  const server = createServer((_req, res) => res.end(id))
  const url = await listen(server)
  const redis = connectRedis({ url: redisUrl, name: id, deadlineMs: 5_000 })
  await redis.ready(10_000)
  const state = { ready: true }
  const registry = createRegistry({
    redis,
    log,
    everyMs,
    settings: {},
    describe: () => ({
      id,
      app: id.split('-')[0] ?? id,
      version: '1',
      url,
      startedAt: '2026-11-24T12:00:00.000Z',
      ready: state.ready,
      load: 0,
    }),
  })
  await registry.announce()
  return {
    url,
    redis,
    registry,
    state,
    async [Symbol.asyncDispose]() {
      await registry.close()
      await redis.close()
      server.close()
      server.closeAllConnections()
    },
  }
}

const originsOf = (upstream: Upstream) => upstream.targets().map(({ origin }) => origin)

test('an instance that joins or leaves the registry is used or not, and Redis that was emptied removes none', async ({
  redisUrl,
}) => {
  await using gateway = await startInstance(redisUrl, 'gateway-1')
  await using one = await startInstance(redisUrl, 'auth-1')
  await using other = await startInstance(redisUrl, 'payments-1')
  const { registry } = gateway
  const targets = targetsOf(['registry:'], { app: 'auth', registry, log })
  const upstream = createUpstream({ name: 'auth', targets })
  const history: string[][] = []
  const front = createServer(createProxy({ upstream }))
  const proxy = await listen(front)
  await until(() => originsOf(upstream).join() === one.url)
  expect(await (await fetch(proxy)).text()).toBe('auth-1')

  const two = await startInstance(redisUrl, 'auth-2')
  await until(() => originsOf(upstream).length === 2)
  expect(originsOf(upstream)).not.toContain(other.url)

  await gateway.redis.client.flushall()
  const stop = registry.onList(() => history.push(originsOf(upstream)))
  await until(() => history.length > 20)
  stop()
  expect(history.filter((origins) => origins.length !== 2)).toEqual([])

  await two[Symbol.asyncDispose]()
  await until(() => originsOf(upstream).join() === one.url)
  // The last instance is used although it is not ready: its health check decides.
  one.state.ready = false
  await until(async () => (await registry.instances()).some(({ ready }) => !ready))
  expect(await (await fetch(proxy)).text()).toBe('auth-1')
  front.close()
  front.closeAllConnections()
  await upstream.close()
})
