import type { OutgoingHttpHeaders } from 'node:http'
import { expect, test } from '@repo/testing'
import {
  ORIGIN,
  type SignedIn,
  send,
  serveGateway,
  signedIn,
  TRUSTED_ORIGIN,
} from './gateway.fixture.ts'
import { parseLimits } from './limits/limits.ts'
import { serveUpstream } from './servers.fixture.ts'

/** Headers of requests that a page of this site did not make. */
const foreign: Record<string, OutgoingHttpHeaders> = {
  'a page of another site': { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' },
  'a page on another port': { origin: 'http://localhost:9999', 'sec-fetch-site': 'same-site' },
  'a page of a subdomain': { origin: 'http://evil.localhost:8080', 'sec-fetch-site': 'same-site' },
  'the same host over https': { origin: 'https://localhost:8080' },
  'a sandboxed frame': { origin: 'null', 'sec-fetch-site': 'cross-site' },
  'a document without an origin': { origin: 'null' },
  'a browser that sends Sec-Fetch-Site alone': { 'sec-fetch-site': 'same-site' },
  'an origin that only begins like this site': { origin: `${ORIGIN}.evil.test` },
  'two origins': { origin: `${ORIGIN}, https://evil.test` },
  'a client without either header': {},
  'a client with a referrer only': { referer: `${ORIGIN}/account` },
}

const accepted: Record<string, OutgoingHttpHeaders> = {
  'this site': { origin: ORIGIN, 'sec-fetch-site': 'same-origin' },
  'this site, by Origin alone': { origin: ORIGIN },
  'this site, by Sec-Fetch-Site alone': { 'sec-fetch-site': 'same-origin' },
  'this site without a referrer': { origin: 'null', 'sec-fetch-site': 'same-origin' },
  'the address bar': { 'sec-fetch-site': 'none' },
  'a trusted origin': { origin: TRUSTED_ORIGIN, 'sec-fetch-site': 'cross-site' },
}

const json = { 'content-type': 'application/json' }
const changes = [
  ['POST', '/api/payments', '{"amount":1}'],
  ['PATCH', '/api/payments/1', '{}'],
  ['DELETE', '/api/sessions', ''],
  ['PUT', '/api/settings/announcement', '{"value":"x"}'],
  ['PUT', '/api/limits', '{"policies":[],"routes":[]}'],
  ['POST', '/api/auth/sign-out', '{}'],
  ['POST', '/api/auth/oauth2/token', '{}'],
  ['POST', '/.well-known/x', '{}'],
  ['POST', '/api/nowhere', '{}'],
  ['PROPFIND', '/api/payments', ''],
] as const

const refusal = {
  status: 403,
  headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
  body: { type: 'urn:threefold:problem:cross-origin', status: 403 },
}

async function open(databaseUrl: string, limits?: ReturnType<typeof parseLimits>) {
  const administrator = await signedIn(databaseUrl, 'admin')
  const upstream = await serveUpstream('upstream-1')
  const gateway = await serveGateway({
    databaseUrl,
    auth: [upstream.origin],
    payments: [upstream.origin],
    ...(limits?.outcome === 'valid' && { limits: limits.limits }),
  })
  return {
    administrator,
    upstream,
    ask: (method: string, path: string, headers: OutgoingHttpHeaders, body = '') =>
      send(gateway.origin, path, { method, headers: { ...json, ...headers }, body }),
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

/** The cookie as the user has it, and in forms that only some parsers accept. */
function spellings({ cookie }: SignedIn) {
  const [name, value] = cookie.split('=', 2)
  return [
    cookie,
    `theme=dark; ${cookie}`,
    `${cookie}; ${cookie}`,
    `${name}="${value}"`,
    `better-auth%2Esession_token=${value}`,
    `__Secure-${cookie}`,
    `better-auth-8080.session_token=${value}`,
    `${name}=stale`,
  ]
}

test.for(Object.entries(foreign))(
  'a change with a session cookie from %s is refused on every route, and reaches no upstream',
  async ([, headers], { databaseUrl }) => {
    await using all = await open(databaseUrl)
    const { cookie } = all.administrator
    for (const [method, path, body] of changes) {
      const answer = await all.ask(method, path, { ...headers, cookie }, body)
      expect({ path, ...answer }).toMatchObject({ path, ...refusal })
    }
    expect(all.upstream.seen).toEqual([])
    expect((await all.ask('GET', '/api/sessions', { cookie })).body['sessions']).toHaveLength(1)
    const { body } = await all.ask('GET', '/api/settings/public', {})
    expect(body['announcement']).toBe('')
  },
)

test('a change from another site is refused for every form of the session cookie', async ({
  databaseUrl,
}) => {
  await using all = await open(databaseUrl)
  const origin = 'https://evil.test'
  for (const cookie of spellings(all.administrator)) {
    const answer = await all.ask('POST', '/api/payments', { origin, cookie }, '{}')
    expect({ cookie, ...answer }).toMatchObject({ cookie, ...refusal })
  }
  expect(all.upstream.seen).toEqual([])
})

test.for(Object.entries(accepted))(
  'a change with a session cookie from %s is served',
  async ([, headers], { databaseUrl }) => {
    await using all = await open(databaseUrl)
    const { cookie } = all.administrator
    for (const [method, path, body, status] of [
      ['POST', '/api/payments', '{}', 200],
      ['POST', '/api/auth/sign-out', '{}', 200],
      ['POST', '/api/nowhere', '{}', 404],
      ['DELETE', '/api/sessions', '', 200],
    ] as const) {
      expect((await all.ask(method, path, { ...headers, cookie }, body)).status).toBe(status)
    }
    expect(all.upstream.seen).toHaveLength(2)
  },
)

test('a refused change does not count for a limit of its user or address', async ({
  databaseUrl,
}) => {
  const policies = [
    { name: 'ip', quota: 1, windowMs: 60_000, by: 'ip' },
    { name: 'user', quota: 1, windowMs: 60_000, by: 'user' },
  ]
  const routes = [{ path: '/api', policies: ['ip', 'user'] }]
  await using all = await open(databaseUrl, parseLimits({ policies, routes }))
  const { cookie } = all.administrator
  for (let i = 0; i < 3; i += 1) {
    const headers = { origin: 'https://evil.test', cookie }
    expect(await all.ask('POST', '/api/payments', headers)).toMatchObject(refusal)
  }
  expect((await all.ask('POST', '/api/payments', { origin: ORIGIN, cookie })).status).toBe(200)
  expect((await all.ask('POST', '/api/payments', { origin: ORIGIN, cookie })).status).toBe(429)
})

test('a request of another site is served if it only reads, or has no session cookie', async ({
  databaseUrl,
}) => {
  await using all = await open(databaseUrl)
  const { cookie } = all.administrator
  const origin = 'https://evil.test'
  for (const method of ['GET', 'HEAD', 'OPTIONS']) {
    expect((await all.ask(method, '/api/payments', { origin, cookie })).status).toBe(200)
  }
  for (const without of [{}, { cookie: 'theme=dark' }]) {
    const answer = await all.ask('POST', '/api/payments', { origin, ...without }, '{}')
    expect(answer).toMatchObject({
      status: 401,
      body: { type: 'urn:threefold:problem:signed-out' },
    })
  }
  const token = await all.ask('POST', '/api/auth/oauth2/token', { origin }, '{}')
  expect(token.status).toBe(200)
})

test.for(['/api/auth/sign-in/email', '/api/auth/sign-up/email', '/api/auth/oauth2x', '/api/auth'])(
  'another site cannot sign the user in to an account of its choice at %s',
  async (path, { databaseUrl }) => {
    await using all = await open(databaseUrl)
    for (const [name, headers] of Object.entries(foreign)) {
      const answer = await all.ask('POST', path, headers, '{}')
      // A client without either header is not a browser. Without a cookie it acts for no other
      // user.
      const isProgram = !('origin' in headers || 'sec-fetch-site' in headers)
      if (isProgram) expect({ name, status: answer.status }).toEqual({ name, status: 200 })
      else expect({ name, ...answer }).toMatchObject({ name, ...refusal })
    }
    expect((await all.ask('POST', path, { origin: ORIGIN }, '{}')).status).toBe(200)
  },
)
