import { createServer, type RequestListener } from 'node:http'
import { awakeMs } from '@repo/testing'
import { expect } from 'vitest'
import { ask, test, until } from '../servers.fixture.ts'
import { Waiting } from '../slots/waiting.ts'
import { createHealthChecks } from './health-check.ts'
import { CountsByTarget } from './target-counts.ts'
import { Target } from './target.ts'
import type { Upstream } from './upstream.ts'

function createTarget(origin: string): Target {
  return new Target(origin, {
    pool: {},
    slotLimits: { requests: 64, streams: 1 },
    queue: new Waiting(1_000),
    ejection: {
      failures: 3,
      consecutiveErrors: 5,
      errorRate: 0.5,
      minimumRequests: 10,
      windowMs: 10_000,
      durationMs: 5_000,
    },
    slowStartMs: 0,
    counts: new CountsByTarget().assign(origin),
    isOutlier: () => false,
    onResult: () => {},
    onChange: () => {},
    onStarted: () => {},
    groupRequests: () => 0,
    onEvent: () => {},
  })
}

const check = { path: '/readyz', intervalMs: 10, timeoutMs: 500 }

test('targets at rest are checked rarely, a request wakes the checks, and one that is down is checked often', async ({
  servers,
}) => {
  let checks = 0
  let status = 200
  const origin = await servers.serve((_req, res) => {
    checks += 1
    res.writeHead(status).end()
  })
  const target = createTarget(origin)
  const health = createHealthChecks({ ...check, idleIntervalMs: 1_000_000 }, 3, 50)
  health.add(target)
  let seen = -1
  // The checks have stopped when no check follows in ten intervals.
  await until(() => {
    const isQuiet = seen === checks && checks > 2
    seen = checks
    return isQuiet
  }, 100)
  const atRest = checks
  health.noteRequest()
  await until(() => checks > atRest + 1)
  status = 503
  await until(() => target.state === 'down')
  const whenDown = checks
  // More checks than the time before the rest has.
  await until(() => checks > whenDown + 20)
  status = 200
  await until(() => target.state === 'healthy')
  await health.close()
  await target.pool.close()
})

/** Starts an instance whose GETs on /held are open until `release`, and whose checks a test stops. */
function heldListener() {
  const held: (() => void)[] = []
  const state = { answersChecks: true, checks: 0, held, requests: [] as string[] }
  const listener: RequestListener = (req, res) => {
    if (req.url === '/readyz') {
      state.checks += 1
      if (state.answersChecks) res.end()
      return
    }
    req.resume()
    state.requests.push(req.method ?? '')
    if (req.url === '/held') held.push(() => res.end('held'))
    else res.end('answered')
  }
  return { state, listener }
}

const stateOf = (upstream: Upstream) => upstream.targets()[0]?.state
const rare = { path: '/readyz', intervalMs: 3_600_000, timeoutMs: 60_000 }

test('a slow route whose instance answers its check is waited for, and the instance remains healthy', async ({
  servers,
}) => {
  const { state, listener } = heldListener()
  const upstream = servers.upstreamOf([await servers.serve(listener)], { healthCheck: rare })
  const proxy = await servers.proxyOf(upstream)
  await until(() => state.checks === 1)
  const answer = ask(proxy, { path: '/held' })
  // Each suspicion is one check: none of them finds a silent instance.
  await until(() => state.checks === 4)
  expect(stateOf(upstream)).toBe('healthy')
  state.held[0]?.()
  expect(await answer).toMatchObject({ status: 200, body: 'held' })
})

test('a silent instance is down within a second, its GET goes to another one, and its POST waits for it', async ({
  servers,
}) => {
  const { state, listener } = heldListener()
  const silent = await servers.serve(listener)
  const live = await servers.serve((_req, res) => res.end('live'))
  const upstream = servers.upstreamOf([silent, live], { healthCheck: rare })
  const proxy = await servers.proxyOf(upstream)
  await until(() => state.checks === 1)
  state.answersChecks = false
  const beganMs = awakeMs()
  const posts = [1, 2].map(() => ask(proxy, { path: '/held', method: 'POST' }))
  const gets = [1, 2, 3, 4].map(() => ask(proxy, { path: '/held' }))
  for (const { body } of await Promise.all(gets)) expect(body).toBe('live')
  expect(awakeMs() - beganMs).toBeLessThan(1_500)
  expect(stateOf(upstream)).toBe('down')
  const received = state.requests.filter((method) => method === 'POST').length
  for (const open of state.held) open()
  const bodies = (await Promise.all(posts)).map(({ body }) => body)
  expect(bodies.filter((body) => body === 'held')).toHaveLength(received)
})

test('after a time at rest, an instance that has stopped fails no POST', async ({ servers }) => {
  const leaving = createServer((req, res) => {
    req.resume()
    res.end('leaving')
  })
  const origin = await servers.serveTcp(leaving)
  const live = await servers.serve((req, res) => {
    req.resume()
    res.end('live')
  })
  // No check finds out before the requests do.
  const upstream = servers.upstreamOf([origin, live], { healthCheck: rare })
  const proxy = await servers.proxyOf(upstream)
  for (let i = 0; i < 4; i += 1) await ask(proxy)
  leaving.close()
  leaving.closeAllConnections()
  for (let i = 0; i < 10; i += 1) {
    const answer = await ask(proxy, { method: 'POST', body: 'paid' })
    expect(answer).toMatchObject({ status: 200, body: 'live' })
  }
})
