import { createServer, type ServerResponse } from 'node:http'
import { expect, test, until } from '@repo/testing'
import { environment, send } from '../gateway.fixture.ts'
import { listen } from '../servers.fixture.ts'

const program = new URL('../main.ts', import.meta.url)
const PATH = '/api/auth/x'

/** A ready instance whose responses wait, or have this status. */
async function startInstance() {
  const mode = { status: 200, isHeld: false }
  const held: ServerResponse[] = []
  let requests = 0
  const server = createServer((req, res) => {
    if (req.url === '/readyz') return void res.end()
    requests += 1
    if (mode.isHeld) held.push(res)
    else res.writeHead(mode.status).end('{}')
  })
  return {
    ...(await listen(server)),
    mode,
    requests: () => requests,
    /** Sends the responses that wait. */
    release() {
      mode.isHeld = false
      for (const res of held.splice(0)) res.end('{}')
    },
  }
}

/** The settings of a gateway with these protections of auth. */
function settings(
  stores: { databaseUrl: string; redisUrl: string },
  options: string,
  urls: string,
) {
  const env = environment({ ...stores, upstream: urls })
  const INSTANCE_ID = options === '' ? 'gateway-plain' : 'gateway-guarded'
  return { ...env, INSTANCE_ID, ...(options !== '' && { UPSTREAM_OPTIONS: `auth ${options}` }) }
}

test('with in-flight=2 the third simultaneous request is 503 at once, and without it is forwarded', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  await using instance = await startInstance()
  instance.mode.isHeld = true
  const gatewayWith = async (options: string) => {
    const env = settings({ databaseUrl, redisUrl }, options, instance.origin)
    const [gateway] = await replicas(1, { program, env, ready: '/readyz' })
    return gateway?.url ?? ''
  }
  const limited = await gatewayWith('in-flight=2')
  const admitted = [send(limited, PATH), send(limited, PATH)]
  await until(() => instance.requests() === 2)
  const refused = await send(limited, PATH)
  expect(refused).toMatchObject({
    status: 503,
    headers: { 'retry-after': '1' },
    body: { type: 'urn:threefold:problem:upstream-overloaded' },
  })
  expect(instance.requests()).toBe(2)

  const unlimited = await gatewayWith('')
  const third = [1, 2, 3].map(() => send(unlimited, PATH))
  await until(() => instance.requests() === 5)
  instance.release()
  const answers = await Promise.all([...admitted, ...third])
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
  expect((await send(limited, PATH)).status).toBe(200)
})

test('with breaker=50 a failing service receives no request for a time, and requests are served after it recovers', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  await using instance = await startInstance()
  instance.mode.status = 500
  const stores = { databaseUrl, redisUrl }
  const [guarded, plain] = await Promise.all(
    ['breaker=50', ''].map(async (options) => {
      const env = settings(stores, options, instance.origin)
      const [gateway] = await replicas(1, { program, env, ready: '/readyz' })
      return gateway?.url ?? ''
    }),
  )
  const statusesOf = async (url = '') => {
    const statuses: number[] = []
    for (let i = 0; i < 30; i += 1) statuses.push((await send(url, PATH)).status)
    return statuses
  }
  const statuses = await statusesOf(guarded)
  // It opens after 20 results.
  expect(instance.requests()).toBe(20)
  expect(statuses.slice(20)).toEqual(Array.from({ length: 10 }, () => 503))
  expect((await send(guarded ?? '', PATH)).body).toMatchObject({
    type: 'urn:threefold:problem:circuit-open',
  })
  expect(await statusesOf(plain)).toEqual(Array.from({ length: 30 }, () => 500))
  expect(instance.requests()).toBe(50)

  instance.mode.status = 200
  await until(async () => (await send(guarded ?? '', PATH)).status === 200)
  expect(new Set(await statusesOf(guarded))).toEqual(new Set([200]))
})

test('with hedge=95 a GET at an instance that is slow gets the response of another one, and a POST waits', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  await using slow = await startInstance()
  await using fast = await startInstance()
  const urls = `${slow.origin},${fast.origin}`
  const env = settings({ databaseUrl, redisUrl }, 'hedge=95', urls)
  const [gateway] = await replicas(1, { program, env, ready: '/readyz' })
  const url = gateway?.url ?? ''
  // The delay is a percentile of recent responses: at least 50, refreshed after each 64.
  for (let i = 0; i < 64; i += 1) await send(url, PATH)
  slow.mode.isHeld = true
  const before = slow.requests()
  for (let i = 0; i < 6; i += 1) expect((await send(url, PATH)).status).toBe(200)
  expect(slow.requests()).toBeGreaterThan(before)

  const beforePosts = slow.requests()
  const headers = { origin: 'http://localhost:8080' }
  const posts = Array.from({ length: 4 }, () => send(url, PATH, { method: 'POST', headers }))
  await until(() => slow.requests() > beforePosts)
  let isAnswered = false
  void Promise.all(posts).then(() => (isAnswered = true))
  for (let i = 0; i < 6; i += 1) await send(url, PATH)
  expect(isAnswered).toBe(false)
  slow.release()
  expect((await Promise.all(posts)).map(({ status }) => status)).toEqual([200, 200, 200, 200])
})
