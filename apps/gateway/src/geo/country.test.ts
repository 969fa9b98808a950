import { expect, test } from '@repo/testing'
import { ask, serveGateway, signedIn } from '../gateway.fixture.ts'
import { type Limits, parseLimits } from '../limits/limits.ts'
import { serveUpstream } from '../servers.fixture.ts'

function limitsBy(by: string, path: string): Limits {
  const parsed = parseLimits({
    policies: [{ name: by, quota: 2, windowMs: 60_000, by }],
    routes: [{ path, policies: [by] }],
  })
  if (parsed.outcome === 'invalid') throw new Error(parsed.faults.join('\n'))
  return parsed.limits
}

const countries = new Map([
  ['192.0.2.1', 'DE'],
  ['192.0.2.2', 'DE'],
  ['198.51.100.1', 'FR'],
])

async function open(databaseUrl: string, limits: Limits, isWaiting = false) {
  const { cookie } = await signedIn(databaseUrl)
  const [auth, payments] = [await serveUpstream('auth-1'), await serveUpstream('payments-1')]
  const countryOf = (ip: string) => {
    const country = countries.get(ip)
    return isWaiting ? Promise.resolve(country) : country
  }
  const gateway = await serveGateway({
    databaseUrl,
    auth: [auth.origin],
    payments: [payments.origin],
    limits,
    whoIs: { countryOf },
  })
  return {
    auth,
    payments,
    ask: (path: string, ip: string, headers: Record<string, string> = {}) =>
      ask(gateway.origin, path, { headers: { cookie, 'x-forwarded-for': ip, ...headers } }),
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      await Promise.all([auth[Symbol.asyncDispose](), payments[Symbol.asyncDispose]()])
    },
  }
}

test('a service with receivesCountry receives the country, no other service does, and none from outside passes', async ({
  databaseUrl,
}) => {
  await using all = await open(databaseUrl, { policies: [], routes: [] })
  const forged = { 'X-Client-Country': 'XX', connection: 'x-client-country' }
  await all.ask('/api/payments', '192.0.2.1', forged)
  await all.ask('/api/payments', '203.0.113.9', forged)
  await all.ask('/api/auth/ok', '192.0.2.1', forged)
  const received = [...all.payments.seen, ...all.auth.seen].map(
    ({ headers }) => headers['x-client-country'],
  )
  expect(received).toEqual(['DE', undefined, undefined])
})

test('a limit by country counts all addresses of the country together, and no address without a country', async ({
  databaseUrl,
}) => {
  for (const isWaiting of [false, true]) {
    await using all = await open(databaseUrl, limitsBy('country', '/api/payments'), isWaiting)
    const statuses = []
    for (const ip of ['192.0.2.1', '192.0.2.2', '192.0.2.1', '198.51.100.1', '203.0.113.9']) {
      statuses.push((await all.ask('/api/payments', ip)).status)
    }
    expect(statuses).toEqual([200, 200, 429, 200, 200])
  }
})

test('a limit by address counts an IPv6 network of 64 bits together, and two such networks separately', async ({
  databaseUrl,
}) => {
  await using all = await open(databaseUrl, limitsBy('ip', '/api/auth'))
  const statuses = []
  for (const ip of [
    '2001:db8:0:1::1',
    '2001:db8:0:1:ffff:ffff:ffff:ffff',
    '2001:db8:0:1::2',
    '2001:db8:0:2::1',
  ]) {
    statuses.push((await all.ask('/api/auth/ok', ip)).status)
  }
  expect(statuses).toEqual([200, 200, 429, 200])
})
