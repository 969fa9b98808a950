import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { connectRedis } from '@repo/redis'
import { expect, test, until } from '@repo/testing'
import { environment, signedIn } from '../gateway.fixture.ts'
import { post, program, serveScripted, TIER_ONE, TIER_TWO } from './keyed.fixture.ts'

const LIMITS = new URL('../../limits.load-test.json', import.meta.url).pathname
const LEASE_MS = 1_500
const ready = '/readyz'

/** Settings under which a busy machine refuses no request. */
function settings(stores: { databaseUrl: string; redisUrl: string }, upstream: string) {
  return {
    ...environment({ ...stores, upstream }),
    LIMITS_FILE: LIMITS,
    LOOP_DELAY_LIMIT_MS: '60000',
    TEST_LEASE_MS: String(LEASE_MS),
  }
}

test('of 300 simultaneous requests with one key at three gateways, exactly one reaches the service', async ({
  databaseUrl,
  redisUrl,
  replicas,
}) => {
  await using upstream = await serveScripted()
  const { cookie } = await signedIn(databaseUrl)
  const env = settings({ databaseUrl, redisUrl }, upstream.origin)
  const gateways = await replicas(3, { program, env, ready })
  for (const path of [TIER_ONE, TIER_TWO]) {
    upstream.run(() => undefined)
    const key = randomUUID()
    const sent = Array.from({ length: 300 }, (_, i) =>
      post(gateways[i % 3]!.url, { cookie, path, key }),
    )
    await until(() => upstream.calls.length > 0)
    await Promise.race(sent)
    upstream.calls[0]?.res.writeHead(201).end('once')
    const answers = await Promise.all(sent)
    const statuses = answers.map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([201, 409]))
    const fresh = answers.filter(({ headers }) => headers['idempotency-status'] === 'fresh')
    expect(fresh).toHaveLength(1)
    for (const { url } of gateways) {
      expect((await post(url, { cookie, path, key })).body.toString()).toBe('once')
    }
    expect(upstream.calls).toHaveLength(1)
  }
})

test('a request whose instance ends runs on another one if the service commits its key, and is a 502 otherwise', async ({
  databaseUrl,
  redisUrl,
  replicas,
}) => {
  for (const path of [TIER_TWO, TIER_ONE]) {
    await using one = await serveScripted(() => undefined)
    await using two = await serveScripted(() => undefined)
    const { cookie } = await signedIn(databaseUrl)
    const env = settings({ databaseUrl, redisUrl }, `${one.origin},${two.origin}`)
    const [gateway] = await replicas(1, { program, env, ready })
    const key = randomUUID()
    const answer = post(gateway!.url, { cookie, path, key })
    await until(() => one.calls.length + two.calls.length === 1)
    const [dying, other] = one.calls.length === 1 ? [one, two] : [two, one]
    other.run()
    dying.crash()
    const { status } = await answer
    expect(status).toBe(path === TIER_TWO ? 201 : 502)
    expect(other.calls).toHaveLength(path === TIER_TWO ? 1 : 0)
    // The 502 has released the key.
    const again = await post(gateway!.url, { cookie, path, key })
    expect(again.status).toBe(201)
    expect(other.calls).toHaveLength(1)
    await gateway!.kill()
  }
})

test('after a gateway that holds a claim is killed, another one runs the request when its lease has ended', async ({
  databaseUrl,
  redisUrl,
  replicas,
}) => {
  await using upstream = await serveScripted(({ res }, count) => {
    if (count > 1) res.writeHead(201).end('second')
  })
  const { cookie } = await signedIn(databaseUrl)
  const env = settings({ databaseUrl, redisUrl }, upstream.origin)
  const [holder, other] = await replicas(2, { program, env, ready })
  const request = { cookie, path: TIER_ONE, key: randomUUID() }
  const cut = post(holder!.url, request).catch(() => 'cut')
  await until(() => upstream.calls.length === 1)
  const conflict = await post(other!.url, request)
  expect(conflict.status).toBe(409)
  expect(Number(conflict.headers['retry-after'])).toBeLessThanOrEqual(2)
  await holder!.kill()
  const killedAtMs = performance.now()
  expect(await cut).toBe('cut')
  await until(async () => (await post(other!.url, request)).status === 201)
  // The lease and 300 ms are the promise. The rest is for a busy machine.
  expect(performance.now() - killedAtMs).toBeLessThan(LEASE_MS + 300 + 5_000)
  expect((await post(other!.url, request)).body.toString()).toBe('second')
  expect(upstream.calls).toHaveLength(2)
})

test.for(['is cut off', 'hangs'])(
  'while Redis %s the service decides about its keys, another route is a 503 that never runs later',
  async (fault, { databaseUrl, ownValkey, replicas, tcpProxy }) => {
    await using upstream = await serveScripted()
    const { cookie } = await signedIn(databaseUrl)
    const network = await tcpProxy({ target: ownValkey.url })
    const env = settings({ databaseUrl, redisUrl: network.url }, upstream.origin)
    const [gateway] = await replicas(1, { program, env, ready })
    const { url } = gateway!
    const stored = { cookie, path: TIER_ONE, key: randomUUID() }
    const { body } = await post(url, stored)
    upstream.run()

    if (fault === 'hangs') network.halfOpen()
    else await network.cut()
    const refused = { cookie, path: TIER_ONE, key: randomUUID() }
    for (const request of [refused, stored]) {
      const unavailable = await post(url, request)
      expect(unavailable.status).toBe(503)
      expect(Number(unavailable.headers['retry-after'])).toBeGreaterThanOrEqual(1)
      expect(unavailable.body.toString()).toContain('idempotency-unavailable')
      expect(unavailable.ms).toBeLessThan(3_000)
    }
    expect(upstream.calls).toHaveLength(0)
    const decided = await post(url, { cookie, path: TIER_TWO, key: 'decided-by-the-service' })
    expect(decided.status).toBe(201)
    expect(decided.ms).toBeLessThan(3_000)
    expect(upstream.calls[0]?.headers['idempotency-key']).toBe('decided-by-the-service')

    await network.heal()
    await until(async () => (await post(url, stored)).body.equals(body))
    expect(upstream.calls).toHaveLength(1)
    await until(async () => (await post(url, refused)).status === 201)
    expect(upstream.calls).toHaveLength(2)
  },
)

test('a response whose claim Redis has lost is stored, and a record of another release is neither run nor replayed', async ({
  databaseUrl,
  ownValkey,
  replicas,
}) => {
  await using upstream = await serveScripted(() => undefined)
  const { cookie } = await signedIn(databaseUrl)
  const env = settings({ databaseUrl, redisUrl: ownValkey.url }, upstream.origin)
  const [gateway] = await replicas(1, { program, env, ready })
  const { url } = gateway!
  const redis = connectRedis({ url: ownValkey.url, name: 'test' })
  await redis.ready()
  const request = { cookie, path: TIER_ONE, key: randomUUID() }
  const first = post(url, request)
  await until(() => upstream.calls.length === 1)
  await redis.client.flushall()
  upstream.calls[0]?.res.writeHead(201).end('healed')
  expect((await first).body.toString()).toBe('healed')
  const replay = await post(url, request)
  expect(replay.body.toString()).toBe('healed')
  expect(replay.headers['idempotency-replayed']).toBe('true')
  expect(upstream.calls).toHaveLength(1)

  const [record = ''] = await redis.client.keys('*:idempotency:record:*')
  await redis.client.setrange(record, 0, '9')
  const unreadable = await post(url, request)
  expect(unreadable.status).toBe(503)
  expect(unreadable.body.toString()).toContain('idempotency-unavailable')
  expect(upstream.calls).toHaveLength(1)
  await redis.close()
})

test('a gateway that drains completes a request whose client has left, and another gateway replays its response', async ({
  databaseUrl,
  redisUrl,
  replicas,
}) => {
  await using upstream = await serveScripted(() => undefined)
  const { cookie } = await signedIn(databaseUrl)
  const env = settings({ databaseUrl, redisUrl }, upstream.origin)
  const [leaving, other] = await replicas(2, { program, env, ready })
  const request = { cookie, path: TIER_ONE, key: randomUUID() }
  const client = new AbortController()
  const cut = post(leaving!.url, { ...request, signal: client.signal })
  await until(() => upstream.calls.length === 1)
  client.abort()
  await expect(cut).rejects.toThrow(/aborted/)
  const code = leaving!.terminate()
  // Longer than the pools may take to close.
  await wait(4_000)
  expect((await post(other!.url, request)).status).toBe(409)
  upstream.calls[0]?.res.writeHead(201).end('done')
  expect(await code).toBe(0)
  const replay = await post(other!.url, request)
  expect([replay.status, replay.body.toString()]).toEqual([201, 'done'])
  expect(upstream.calls).toHaveLength(1)
})
