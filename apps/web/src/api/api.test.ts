import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type * as Api from './api.ts'

const incoming = {
  cookie: 'better-auth.session_token=s',
  'x-request-id': 'r-1',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  'user-agent': 'a browser',
  'x-forwarded-for': '203.0.113.7',
}
vi.mock('next/headers', () => ({
  headers: async () => new Headers({ ...incoming, 'x-other': 'not forwarded' }),
  cookies: async () => ({ getAll: () => [{ name: 'better-auth.session_token', value: 's' }] }),
}))

interface Received {
  method: string | undefined
  url: string | undefined
  headers: IncomingMessage['headers']
  body: string
}
let received: Received[] = []
let respond: (res: ServerResponse) => void
const json =
  (status: number, body: unknown, headers = {}) =>
  (res: ServerResponse) =>
    res.writeHead(status, headers).end(JSON.stringify(body))

const server = createServer((req, res) => {
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  req.on('end', () => {
    const body = Buffer.concat(chunks).toString()
    received.push({ method: req.method, url: req.url, headers: req.headers, body })
    respond(res)
  })
})
let api: typeof Api

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  vi.stubEnv('API_URL', `http://127.0.0.1:${address.port}`)
  vi.stubEnv('ORIGIN', 'https://shop.example')
  api = await import('./api.ts')
})
beforeEach(() => {
  received = []
  respond = json(200, {})
})
afterAll(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  server.closeAllConnections()
  server.close()
})

const post = 'POST'
const calls: [string, () => Promise<unknown>, string, string, string][] = [
  ['me', () => api.me(), 'GET', '/api/me', ''],
  ['ping', () => api.ping(), 'GET', '/api/auth/ok', ''],
  ['cluster', () => api.cluster(), 'GET', '/api/cluster', ''],
  ['sessions', () => api.sessions(), 'GET', '/api/sessions', ''],
  ['limits', () => api.limits(), 'GET', '/api/limits?minutes=15', ''],
  [
    'users',
    () => api.users(40),
    'GET',
    '/api/auth/admin/list-users?limit=20&offset=40&sortBy=createdAt&sortDirection=desc',
    '',
  ],
  ['payments', () => api.payments(), 'GET', '/api/payments', ''],
  ['featureSettings', () => api.featureSettings(), 'GET', '/api/settings', ''],
  [
    'changeSetting',
    () => api.changeSetting('announcement', ''),
    'PUT',
    '/api/settings/announcement',
    '{"value":""}',
  ],
  [
    'signIn',
    () => api.signIn({ email: 'a@b.c', password: 'p' }),
    post,
    '/api/auth/sign-in/email',
    '{"email":"a@b.c","password":"p"}',
  ],
  [
    'signUp',
    () => api.signUp({ name: 'A', email: 'a@b.c', password: 'p' }),
    post,
    '/api/auth/sign-up/email',
    '{"name":"A","email":"a@b.c","password":"p"}',
  ],
  ['signOut', () => api.signOut(), post, '/api/auth/sign-out', '{}'],
  ['revokeSession', () => api.revokeSession('a/b?c'), 'DELETE', '/api/sessions/a%2Fb%3Fc', ''],
  ['keys', () => api.keys(), 'GET', '/api/keys', ''],
  [
    'createKey',
    () => api.createKey({ name: 'k', scopes: ['payments:read'] }),
    post,
    '/api/keys',
    '{"name":"k","scopes":["payments:read"]}',
  ],
  ['revokeKey', () => api.revokeKey('a b'), 'DELETE', '/api/keys/a%20b', ''],
  ['revokeOtherSessions', () => api.revokeOtherSessions(), 'DELETE', '/api/sessions', ''],
  [
    'administer',
    () => api.administer('ban-user', 'u'),
    post,
    '/api/auth/admin/ban-user',
    '{"userId":"u"}',
  ],
  [
    'stopImpersonating',
    () => api.stopImpersonating(),
    post,
    '/api/auth/admin/stop-impersonating',
    '{}',
  ],
  [
    'block',
    () => api.block({ policy: 'p', id: 'i', forMs: 1_000 }),
    post,
    '/api/limits/blocks',
    '{"policy":"p","id":"i","forMs":1000}',
  ],
  [
    'unblock',
    () => api.unblock('a b', 'c&d'),
    'DELETE',
    '/api/limits/blocks?policy=a+b&id=c%26d',
    '',
  ],
  [
    'pay',
    () => api.pay({ amount: 5, currency: 'EUR', reference: 'x' }, 'k-1'),
    post,
    '/api/payments',
    '{"amount":5,"currency":"EUR","reference":"x"}',
  ],
]

test.each(calls)(
  '%s sends its method, path, body and the headers of the page request',
  async (name, run, method, url, body) => {
    await run()
    expect(received).toHaveLength(1)
    const [request] = received
    expect(request).toMatchObject({ method, url, body })
    expect(request?.headers).toMatchObject({ accept: 'application/json', ...incoming })
    expect(request?.headers['x-other']).toBeUndefined()
    expect(request?.headers['content-type']).toBe(body ? 'application/json' : undefined)
    expect(request?.headers['origin']).toBe(method === 'GET' ? undefined : 'https://shop.example')
    expect(request?.headers['idempotency-key']).toBe(name === 'pay' ? 'k-1' : undefined)
  },
)

test('a success with a body that matches its schema is parsed', async () => {
  respond = json(200, { revoked: 1, ms: 2, more: true })
  expect(await api.revokeKey('k')).toMatchObject({ outcome: 'ok', value: { revoked: 1, ms: 2 } })
  respond = json(200, { revoked: 'one' })
  expect(await api.revokeKey('k')).toMatchObject({
    outcome: 'unavailable',
    message: 'The service sent an invalid response.',
  })
})

test.each([
  ['signIn', () => api.signIn({ email: 'a@b.c', password: 'p' })],
  ['block', () => api.block({ policy: 'p', id: 'i', forMs: 1_000 })],
  ['ping', () => api.ping()],
])('%s accepts a success with any body, and returns its cookies', async (_name, run) => {
  respond = (res) => res.writeHead(200, { 'set-cookie': 'a=b' }).end('not JSON')
  expect(await run()).toMatchObject({ outcome: 'ok', setCookie: ['a=b'] })
})

test('a redirect is not followed', async () => {
  respond = (res) => res.writeHead(302, { location: '/api/keys' }).end()
  expect(await api.payments()).toMatchObject({ outcome: 'invalid' })
  expect(received).toHaveLength(1)
})

test('a body that breaks off is no answer, and the log has the path of the request', async () => {
  const warn = vi.spyOn(console, 'warn').mockReturnValue()
  respond = (res) => {
    res.writeHead(200, { 'content-length': '100', 'x-instance-id': 'gateway-1' })
    res.write('{"revoked":', () => res.destroy())
  }
  expect(await api.revokeKey('a b')).toEqual({
    outcome: 'unavailable',
    message: 'The service did not respond in time.',
    retryAfterSeconds: 3,
    servedBy: [],
  })
  expect(warn).toHaveBeenCalledWith(
    { event: 'api_no_answer', path: '/api/keys/a%20b', error: expect.any(String) },
    'the API sent no response',
  )
})

test('a gateway that does not respond before the deadline is no answer', async () => {
  vi.spyOn(console, 'warn').mockReturnValue()
  respond = () => {}
  expect(await api.payments()).toMatchObject({
    outcome: 'unavailable',
    message: 'The service did not respond in time.',
  })
})
