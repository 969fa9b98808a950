import { createLog } from '@repo/observability'
import { createHono } from '@repo/service/hono'
import { describe, expect, test } from '@repo/testing'
import { parseList } from 'structured-headers'
import { createMemoryRateLimiter } from '../memory/memory-rate-limiter.ts'
import type { Limit } from '../store.ts'
import type { Decision } from '../types.ts'
import { createGuard } from './guard.ts'
import { rateLimitHeaders } from './headers.ts'
import { rateLimit } from './hono.ts'
import { problemOf } from './problem.ts'

const windowMs = 60_000
const policies = [
  { name: 'api-ip', quota: 2, windowMs, by: 'ip' },
  { name: 'api-user', quota: 100, windowMs, by: 'user' },
  { name: 'dark', quota: 1, windowMs, by: 'ip', shadow: true },
  { name: 'busy', quota: 1, windowMs: 5_000, by: 'ip', algorithm: 'concurrency' as const },
]

function limit(fields: Partial<Limit>): Limit {
  return {
    policy: 'p',
    quota: 10,
    windowMs,
    algorithm: 'sliding',
    shadow: false,
    remaining: 3,
    refillMs: 1_500,
    resetMs: 9_000,
    retryMs: 0,
    ...fields,
  }
}

function decision(fields: Partial<Decision>): Decision {
  return {
    outcome: 'allowed',
    limits: [limit({})],
    violated: [],
    shadowed: [],
    retryAfterMs: 0,
    degraded: false,
    source: 'redis',
    release: async () => undefined,
    ...fields,
  }
}

/** As an independent parser of RFC 9651 reads them. */
function read(headers: [string, string][], name: string) {
  const value = headers.find(([header]) => header === name)?.[1] ?? ''
  return parseList(value).map(([item, parameters]) => [item, Object.fromEntries(parameters)])
}

describe('headers', () => {
  test('the headers contain all policies, and the tightest limit with the time of its next refill', () => {
    const limits = [limit({}), limit({ policy: 'q', quota: 100, remaining: 9, windowMs: 500 })]
    const headers = rateLimitHeaders(decision({ limits }))
    expect(read(headers, 'RateLimit-Policy')).toEqual([
      ['p', { q: 10, w: 60 }],
      ['q', { q: 100 }],
    ])
    expect(read(headers, 'RateLimit')).toEqual([['q', { r: 9, t: 1 }]])
    expect(headers).toHaveLength(2)
  })

  test('the headers of a refusal contain every limit that refuses, and a Retry-After that is not before t', () => {
    const limits = [
      limit({ remaining: 0, retryMs: 4_001 }),
      limit({ policy: 'q', remaining: 0, retryMs: 2_000 }),
      limit({ policy: 'r', quota: 3 }),
    ]
    const refused = { outcome: 'limited', violated: ['p', 'q'], retryAfterMs: 4_001 } as const
    const headers = rateLimitHeaders(decision({ limits, ...refused }))
    expect(read(headers, 'RateLimit')).toEqual([
      ['p', { r: 0, t: 5 }],
      ['q', { r: 0, t: 2 }],
    ])
    expect(headers).toContainEqual(['Retry-After', '5'])
  })

  test('the headers leave out shadow policies, quotas of 0 and unlimited quotas', () => {
    expect(rateLimitHeaders(decision({ limits: [limit({ shadow: true })] }))).toEqual([])
    expect(rateLimitHeaders(decision({ limits: [] }))).toEqual([])
    const never = { outcome: 'limited', retryAfterMs: Infinity, violated: ['p'] } as const
    const limits = [limit({ quota: 0, retryMs: Infinity })]
    expect(rateLimitHeaders(decision({ limits, ...never }))).toEqual([])
  })

  test('the headers state a concurrency limit with the unit concurrent-requests', () => {
    const limits = [limit({ algorithm: 'concurrency' })]
    const headers = rateLimitHeaders(decision({ limits }))
    expect(read(headers, 'RateLimit-Policy')).toEqual([['p', { q: 10, qu: 'concurrent-requests' }]])
  })
})

describe('a refusal', () => {
  test('R6: a refusal by a quota is a 429, and an outage is a 503 and never a 429', () => {
    expect(problemOf(decision({}))).toBeUndefined()
    const refused = { violated: ['p'], retryAfterMs: 1_200 }
    expect(problemOf(decision({ outcome: 'limited', ...refused }))).toMatchObject({
      status: 429,
      code: 'rate-limited',
      retryAfter: 2,
      violated: ['p'],
    })
    expect(problemOf(decision({ outcome: 'unavailable', ...refused }))).toMatchObject({
      status: 503,
      retryAfter: 2,
    })
  })

  test('the refusal of a guard is a whole response for a server without Hono', async () => {
    const guard = createGuard({
      limiter: createMemoryRateLimiter({ policies, now: () => 0 }),
      policies: ['api-ip'],
    })
    const first = await guard({ ip: '192.0.2.1' })
    expect(first.refusal).toBeUndefined()
    expect(read(first.headers, 'RateLimit')).toEqual([['api-ip', { r: 1, t: 60 }]])
    await guard({ ip: '192.0.2.1' })
    const { refusal } = await guard({ ip: '192.0.2.1' })
    expect(refusal?.status).toBe(429)
    expect(Object.fromEntries(refusal!.headers)).toMatchObject({
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      'Retry-After': '60',
    })
    expect(JSON.parse(refusal!.body)).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Too Many Requests',
      status: 429,
      detail: 'The quota of api-ip is used up.',
      'violated-policies': ['api-ip'],
    })
  })
})

const dimensions = () => ({ ip: '192.0.2.1', user: undefined })

describe('the middleware of Hono', () => {
  const log = createLog({
    app: 'test',
    instance: 'test-1',
    version: '',
    destination: { write: () => undefined },
  })

  function createApp() {
    const app = createHono({ log })
    const limiter = createMemoryRateLimiter({ policies, now: () => 0 })
    const limits = { limiter, policies: ['api-ip', 'api-user', 'dark'] }
    app.use(
      '/limited',
      rateLimit({ ...limits, dimensions, problemInstance: () => 'urn:request:7' }),
    )
    app.get('/limited', (c) => c.text('fine'))
    app.use('/slow', rateLimit({ limiter, policies: ['busy'], dimensions }))
    const going = Promise.withResolvers<void>()
    app.get('/slow', async (c) => {
      await going.promise
      return c.text('done')
    })
    return { app, goOn: () => going.resolve() }
  }

  test('the middleware adds headers to allowed requests, and sends a problem document with 429', async () => {
    const { app } = createApp()
    for (const left of [1, 0]) {
      const response = await app.request('/limited')
      expect([response.status, response.headers.get('ratelimit')]).toEqual([
        200,
        `"api-ip";r=${left};t=60`,
      ])
      expect(response.headers.get('ratelimit-policy')).toBe('"api-ip";q=2;w=60')
    }
    const refused = await app.request('/limited')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60'])
    expect(await refused.json()).toMatchObject({
      status: 429,
      instance: 'urn:request:7',
      'violated-policies': ['api-ip'],
    })
  })

  test('the middleware releases a concurrency slot when the response is complete', async () => {
    const { app, goOn } = createApp()
    const slow = app.request('/slow')
    expect((await app.request('/slow')).status).toBe(429)
    goOn()
    expect(await (await slow).text()).toBe('done')
    expect((await app.request('/slow')).status).toBe(200)
  })
})
