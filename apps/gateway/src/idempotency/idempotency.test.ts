import { randomBytes, randomUUID } from 'node:crypto'
import { expect, until } from '@repo/testing'
import { signedIn } from '../gateway.fixture.ts'
import { type Call, post, siteTest, TIER_ONE, TIER_TWO } from './keyed.fixture.ts'

const BYTES = Buffer.concat([Buffer.from([0, 255, 128, 13, 10, 195]), randomBytes(2_000)])

function respondWithAll({ res }: Call): void {
  res.writeHead(201, [
    ...['Content-Type', 'application/octet-stream', 'Location', '/api/payments/7'],
    ...['ETag', '"7"', 'X-Note', 'a', 'X-Note', 'b', 'Set-Cookie', 'seen=1; Path=/'],
  ])
  res.end(BYTES)
}

siteTest(
  'a repetition at another gateway gets the same status, bytes, Location and ETag without a call of the service, and no cookie',
  async ({ site }) => {
    const { a, b, cookie, upstream } = site
    upstream.run(respondWithAll)
    for (const path of [TIER_ONE, TIER_TWO]) {
      upstream.calls.length = 0
      const key = randomUUID()
      const body = randomBytes(3_000)
      const first = await post(a, { cookie, path, key, body })
      expect(first).toMatchObject({ status: 201, body: BYTES })
      expect(first.headers['idempotency-status']).toBe('fresh')
      expect(first.headers['set-cookie']).toContain('seen=1; Path=/')
      expect(first.headers).not.toHaveProperty('idempotency-replayed')
      // As text of a structured field it is the same key.
      for (const [url, written] of [
        [b, key],
        [a, `"${key}"`],
      ] as const) {
        const again = await post(url, { cookie, path, key: written, body })
        expect(again).toMatchObject({ status: 201, body: BYTES })
        expect(again.headers).toMatchObject({
          ...{ 'idempotency-status': 'replayed', 'idempotency-replayed': 'true' },
          ...{ location: '/api/payments/7', etag: '"7"', 'x-note': 'a, b' },
          ...{ 'content-type': 'application/octet-stream', 'x-content-type-options': 'nosniff' },
        })
        expect(again.headers['set-cookie'] ?? []).not.toContain('seen=1; Path=/')
      }
      expect(upstream.calls).toHaveLength(1)
      expect(upstream.calls[0]?.body.equals(body)).toBe(true)
      expect(upstream.calls[0]?.headers['idempotency-key']).toBe(key)
    }
  },
)

siteTest(
  'a key belongs to one user and to one request: another user runs it, and another body, query or path is a 422',
  async ({ site, databaseUrl }) => {
    const { a, b, cookie, upstream } = site
    upstream.run()
    const other = await signedIn(databaseUrl)
    const key = 'one-key-of-two-users'
    expect((await post(a, { cookie, key })).body.toString()).toBe('{"count":1}')
    const foreign = await post(b, { cookie: other.cookie, key })
    expect(foreign).toMatchObject({ status: 201, body: Buffer.from('{"count":2}') })
    expect(foreign.headers['idempotency-status']).toBe('fresh')
    for (const changed of [
      { body: '{"a":2}' },
      { path: `${TIER_TWO}?dry=1` },
      { path: TIER_ONE },
      { body: '' },
    ]) {
      const refused = await post(b, { cookie, key, ...changed })
      expect(refused.status).toBe(422)
      expect(JSON.parse(refused.body.toString())).toMatchObject({
        type: 'urn:threefold:problem:idempotency-key-reused',
        instance: expect.stringMatching(/^urn:request:/),
      })
    }
    expect((await post(a, { cookie, key: 'another-key' })).body.toString()).toBe('{"count":3}')
    expect(upstream.calls).toHaveLength(3)
  },
)

siteTest(
  'a request whose first attempt is in flight is a 409 with Retry-After, another body is a 422, and both come without a call',
  async ({ site }) => {
    const { a, b, cookie, upstream } = site
    upstream.run(() => undefined)
    for (const path of [TIER_ONE, TIER_TWO]) {
      upstream.calls.length = 0
      const key = randomUUID()
      const first = post(a, { cookie, path, key })
      await until(() => upstream.calls.length === 1)
      const conflict = await post(b, { cookie, path, key })
      expect(conflict.status).toBe(409)
      const retryAfter = Number(conflict.headers['retry-after'])
      expect(retryAfter).toBeGreaterThanOrEqual(1)
      expect(retryAfter).toBeLessThanOrEqual(15)
      expect(JSON.parse(conflict.body.toString())).toMatchObject({
        type: 'urn:threefold:problem:idempotency-in-flight',
      })
      expect((await post(b, { cookie, path, key, body: 'other' })).status).toBe(422)
      upstream.calls[0]?.res.writeHead(204).end()
      expect((await first).status).toBe(204)
      const replay = await post(b, { cookie, path, key })
      expect(replay).toMatchObject({ status: 204, body: Buffer.alloc(0) })
      expect(upstream.calls).toHaveLength(1)
    }
  },
)

siteTest(
  'a missing or malformed key is a 400 that names the rule, and a body over the limit is a 413 that claims nothing',
  async ({ site }) => {
    const { a, b, cookie, upstream } = site
    upstream.run()
    const missing = await post(a, { cookie, path: TIER_ONE })
    expect(missing.status).toBe(400)
    expect(missing.body.toString()).toContain('urn:threefold:problem:idempotency-key-missing')
    for (const [keys, rule] of [
      [[''], 'must not be empty'],
      [['a b'], 'must have no spaces'],
      [['k'.repeat(256)], 'at most 255 characters'],
      [['a', 'b'], 'must be sent once'],
      [['k\u00e9'], 'visible ASCII'],
      [['"k'], 'quote'],
    ] as const) {
      for (const path of [TIER_ONE, TIER_TWO]) {
        const refused = await post(a, { cookie, path, keys: [...keys] })
        expect(refused.status, keys.join()).toBe(400)
        expect(JSON.parse(refused.body.toString())).toMatchObject({
          type: 'urn:threefold:problem:idempotency-key-malformed',
          detail: expect.stringContaining(rule),
        })
      }
    }
    const key = randomUUID()
    expect((await post(a, { cookie, key, body: 'x'.repeat(1_048_577) })).status).toBe(413)
    expect(upstream.calls).toHaveLength(0)
    const large = await post(b, { cookie, key, body: 'x'.repeat(1_048_576) })
    expect(large).toMatchObject({ status: 201, headers: { 'idempotency-status': 'fresh' } })
    expect(upstream.calls[0]?.body).toHaveLength(1_048_576)
    expect((await post(a, { cookie, key: 'k'.repeat(255) })).status).toBe(201)
    // Without a key an optional route runs each request.
    for (const count of [3, 4]) {
      const plain = await post(a, { cookie })
      expect(plain.body.toString()).toBe(`{"count":${count}}`)
      expect(plain.headers).not.toHaveProperty('idempotency-status')
    }
  },
)

siteTest(
  'a client that disconnects ends no work: the service completes it, and the repetition gets its response',
  async ({ site }) => {
    let aborts = 0
    const { a, b, cookie, upstream } = site
    upstream.run(({ res }) => {
      res.on('close', () => (aborts += res.writableFinished ? 0 : 1))
    })
    for (const path of [TIER_ONE, TIER_TWO]) {
      upstream.calls.length = 0
      const key = randomUUID()
      const client = new AbortController()
      const cut = post(a, { cookie, path, key, signal: client.signal })
      await until(() => upstream.calls.length === 1)
      client.abort()
      await expect(cut).rejects.toThrow(/aborted/)
      expect((await post(b, { cookie, path, key })).status).toBe(409)
      upstream.calls[0]?.res.writeHead(201).end('done')
      await until(async () => {
        const answer = await post(b, { cookie, path, key })
        return answer.status === 201 && answer.body.toString() === 'done'
      })
      expect({ aborts, calls: upstream.calls.length }).toEqual({ aborts: 0, calls: 1 })
    }
  },
)

siteTest(
  'a response that a repetition can change releases the key, every other one is stored',
  async ({ site }) => {
    const { a, b, cookie, upstream } = site
    upstream.run(({ res, headers }, count) => {
      res.writeHead(
        Number(headers['x-status'] ?? headers['idempotency-key']?.toString().slice(0, 3)),
      )
      res.end(`${count}`)
    })
    for (const [status, isStored] of [
      ...([500, 503, 504, 401, 403, 408, 409, 423, 425, 429] as const).map((each) => [each, false]),
      ...([200, 202, 301, 400, 404, 410, 422] as const).map((each) => [each, true]),
    ] as const) {
      const key = `${Number(status)}-${randomUUID()}`
      const first = await post(a, { cookie, path: TIER_ONE, key })
      const second = await post(b, { cookie, path: TIER_ONE, key })
      expect([first.status, second.status]).toEqual([status, status])
      expect(second.body.equals(first.body), `${Number(status)} is stored`).toBe(isStored)
      expect(second.headers['idempotency-status']).toBe(isStored ? 'replayed' : 'fresh')
    }
  },
)

siteTest(
  'a request that the service refuses because its key belongs to another request stores nothing, so the other one still gets its response',
  async ({ site }) => {
    const { a, b, cookie, upstream } = site
    upstream.run(({ res, body }) => {
      if (body.toString() === 'first') return void res.writeHead(201).end('made')
      res.writeHead(422, { 'content-type': 'application/problem+json' })
      res.end('{"type":"urn:threefold:problem:idempotency-key-reused","status":422}')
    })
    // Redis does not have the key, because it lost its memory or the hour has ended.
    const key = randomUUID()
    for (const url of [a, b]) {
      expect((await post(url, { cookie, key, body: 'second' })).status).toBe(422)
    }
    const made = await post(b, { cookie, key, body: 'first' })
    expect([made.status, made.body.toString()]).toEqual([201, 'made'])
    expect((await post(a, { cookie, key, body: 'second' })).status).toBe(422)
    expect(upstream.calls).toHaveLength(3)
  },
)

siteTest(
  'a response of 8 MB reaches the client whole, and its repetition gets the status without the body and no second call',
  async ({ site }) => {
    const large = randomBytes(8_000_000)
    const { a, b, cookie, upstream } = site
    upstream.run(({ res }) => {
      res.writeHead(201, { location: '/api/payments/7' }).end(large)
    })
    const key = randomUUID()
    const first = await post(a, { cookie, key })
    expect(first.status).toBe(201)
    expect(first.body.equals(large)).toBe(true)
    const second = await post(b, { cookie, key })
    expect(second).toMatchObject({ status: 201, body: Buffer.alloc(0) })
    expect(second.headers).toMatchObject({
      ...{ location: '/api/payments/7', 'idempotency-status': 'replayed' },
      'idempotency-replay-unavailable': 'size-exceeded',
    })
    expect(upstream.calls).toHaveLength(1)
  },
)

siteTest(
  'a response says that a key was ignored on a route without idempotency, and no log line or series has a key',
  async ({ site }) => {
    const { a, cookie, gateways, upstream } = site
    upstream.run()
    const key = `secret-${randomUUID()}`
    for (const path of ['/api/payments', '/api/me']) {
      const { headers } = await post(a, { cookie, path, key, method: 'GET', body: '' })
      expect(headers['idempotency-status']).toBe('ignored')
    }
    const lines = (): Record<string, unknown>[] =>
      gateways[0]!.lines().map((line) => JSON.parse(line))
    const before = lines().length
    for (let i = 0; i < 2; i += 1) await post(a, { cookie, path: TIER_ONE, key })
    const keyed = () =>
      lines()
        .slice(before)
        .filter(({ idempotency }) => idempotency !== undefined)
    await until(() => keyed().length === 2)
    expect(keyed().map(({ idempotency }) => idempotency)).toEqual(['fresh', 'replayed'])
    const hashes = new Set(keyed().map(({ keyHash }) => keyHash))
    expect([...hashes]).toEqual([expect.stringMatching(/^[\w-]{16}$/)])
    const metrics = await (await fetch(`${a}/metrics`)).text()
    for (const outcome of ['fresh', 'replayed']) {
      expect(metrics).toMatch(new RegExp(`requests_total\\{outcome="${outcome}"[^}]*\\} [1-9]`))
    }
    for (const text of [gateways[0]!.output(), metrics]) expect(text).not.toContain('secret-')
  },
)
