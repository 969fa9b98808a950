import { createServer } from 'node:http'
import { endpoints } from '@repo/api/endpoints'
import { createOnce } from '@repo/idempotency'
import { memoryStore } from '@repo/idempotency/memory'
import { createLog } from '@repo/observability'
import { createMemoryRateLimiter } from '@repo/ratelimit/memory'
import type { Validation } from '@repo/session'
import { expect, test } from '@repo/testing'
import { createCors } from '../browsers/cors.ts'
import { createSecurityHeaders } from '../browsers/security-headers.ts'
import { createForgeryCheck } from '../forgery.ts'
import { ORIGIN, send } from '../gateway.fixture.ts'
import { createGateway } from '../gateway.ts'
import { createIdempotencyStage } from '../idempotency/idempotency.ts'
import { createLimitTable } from '../limits/limit-table.ts'
import { parseLimits } from '../limits/limits.ts'
import { createRoutes } from '../routing/routes.ts'
import { listen } from '../servers.fixture.ts'
import { createIpOf } from '../upstreams/client-ip.ts'
import { services } from '../upstreams/services.ts'

const at = new Date('2026-11-29T12:00:00.000Z')
const signedIn: Validation = {
  outcome: 'valid',
  session: { id: 's', createdAt: at, expiresAt: at },
  user: { id: 'u', name: 'Ada', email: 'ada@threefold.test', role: 'user' },
  tier: 'memo',
}

/** A gateway that notes whether it forwards a request in the turn in which the request arrives. */
async function open(validateNow: () => Validation | Promise<Validation>, lease = true) {
  const parsed = parseLimits({
    policies: [
      {
        name: 'user',
        quota: 1_000,
        windowMs: 60_000,
        by: 'user',
        ...(lease && { lease: { units: 100, ms: 10_000 } }),
      },
    ],
    routes: [{ path: '/api', policies: ['user'] }],
  })
  if (parsed.outcome === 'invalid') throw new Error(parsed.faults.join('\n'))
  const { limits } = parsed
  const limiter = createMemoryRateLimiter({ policies: limits.policies })
  const routes = createRoutes(services, endpoints)
  const values = { announcement: '', payments: 'open' } as const
  const log = createLog({ app: 'gateway', instance: 'gateway-1', version: '', level: 'silent' })
  const forwarded: string[] = []
  const gateway = createGateway({
    routes,
    app: () => undefined,
    securityHeaders: createSecurityHeaders(ORIGIN),
    cors: createCors({}),
    forwarderOf:
      () =>
      (req, res, { identity, headers }) => {
        forwarded.push(`${req.method} ${req.url} of ${identity?.userId}`)
        res.setHeader('ratelimit', headers[headers.indexOf('RateLimit') + 1] ?? '').end('{}')
      },
    sessions: { validateNow },
    keys: { check: () => ({ outcome: 'refused', fault: 'unknown' }) },
    settings: { valuesNow: () => values },
    limits: { table: createLimitTable({ limiter, limits, routes: routes.all }) },
    isCrossSite: createForgeryCheck({ origin: ORIGIN }),
    ipOf: createIpOf({ hops: 1 }),
    idempotency: createIdempotencyStage({ once: createOnce({ store: memoryStore() }), log }),
    hashUser: (id) => id,
    log,
  })
  const inTurn: boolean[] = []
  const server = createServer((req, res) => {
    const before = forwarded.length
    const result = gateway(req, res)
    inTurn.push(forwarded.length > before && !(result instanceof Promise))
  })
  const { origin, [Symbol.asyncDispose]: end } = await listen(server)
  return {
    forwarded,
    inTurn,
    ask: (method: string, path: string) =>
      send(origin, path, { method, headers: { origin: ORIGIN } }),
    async [Symbol.asyncDispose]() {
      await end()
      await limiter.close()
    },
  }
}

test('a request with a cached session and a leased quota is forwarded in the turn in which it arrives', async () => {
  await using gateway = await open(() => signedIn)
  // 100 requests make the key hot, and the block is there for the next ones.
  for (let i = 0; i < 101; i += 1) await gateway.ask('GET', '/api/payments')
  for (const method of ['GET', 'POST']) {
    const response = await gateway.ask(method, '/api/payments')
    expect(response).toMatchObject({
      status: 200,
      headers: { ratelimit: expect.stringMatching(/^"user";r=\d+/) },
    })
  }
  expect(gateway.inTurn.slice(-2)).toEqual([true, true])
  expect(gateway.forwarded.slice(-2)).toEqual(['GET /api/payments of u', 'POST /api/payments of u'])
})

test('a request that waits for a session or a quota runs the same stages in the same order', async () => {
  await using waiting = await open(async () => signedIn)
  await using counting = await open(() => signedIn, false)
  for (const gateway of [waiting, counting]) {
    expect((await gateway.ask('POST', '/api/payments')).status).toBe(200)
    expect(gateway.forwarded).toEqual(['POST /api/payments of u'])
    expect(gateway.inTurn).toEqual([false])
  }
})

function fail(): never {
  throw new TypeError('secret detail')
}

test('a stage that fails is a 500 problem, whether it waits or not, and the next stage does not run', async () => {
  await using now = await open(fail)
  await using later = await open(async () => fail())
  for (const gateway of [now, later]) {
    const response = await gateway.ask('GET', '/api/payments')
    expect(response).toMatchObject({
      status: 500,
      body: { type: 'urn:threefold:problem:internal' },
    })
    expect(JSON.stringify(response.body)).not.toContain('secret')
    expect(gateway.forwarded).toEqual([])
  }
})
