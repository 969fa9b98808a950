import { createLog } from '@repo/observability'
import { expect, test, until } from '@repo/testing'
import { z } from 'zod'
import { ask, serve, talk } from '../http.fixture.ts'
import { createHono, listenerOf, readJson } from '../http/hono.ts'
import { createIdentities, type Identities } from './identity.ts'
import { createSignedCaller } from './signed-caller.ts'
import { createUserHash } from './user-hash.ts'
import { claimOf, NO_BODY, STREAMED_BODY } from './version-2.ts'

const ada = { userId: 'u1', email: 'ada@x.test', role: 'user', sessionId: 's1' }
const options = { secret: 'a secret of the whole cluster, 32+', upstream: 'payments' }
const identities = createIdentities(options)
const text = '{"amount":1}'

/** The headers of a request, as the gateway sends them. */
function signed(method: string, target: string, claim: string): Record<string, string> {
  const request = { method, target, requestId: 'request-1', clientIp: '192.0.2.1' }
  const raw: string[] = []
  identities.sign(raw, ada, request, claim)
  const [name = '', value = ''] = raw
  return {
    'content-type': 'application/json',
    'x-request-id': request.requestId,
    'x-client-ip': request.clientIp,
    [name]: value,
  }
}

async function serveApp(by: Identities = identities) {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const log = createLog({ app: 'test', instance: 'test-1', version: '', destination })
  const app = createHono({ log })
  const caller = createSignedCaller({ app, identities: by, log })
  const amount = z.strictObject({ amount: z.int() })
  const made: unknown[] = []
  app.get('/api/payments', (c) => c.json(caller(c)))
  app.post('/api/payments', async (c) => {
    const { userId } = caller(c)
    const order = await readJson(c, amount)
    made.push(order)
    return c.json({ userId, again: caller(c).userId, order })
  })
  app.post('/text', async (c) => c.text(`${caller(c).userId} ${await c.req.text()}`))
  app.delete('/api/payments', (c) => c.json(caller(c)))
  const server = await serve(listenerOf(app))
  return { ...server, made, warnings: lines }
}

const path = '/api/payments'

test('a request is verified once, although the route reads the caller several times', async () => {
  let checks = 0
  await using server = await serveApp({
    ...identities,
    verify(request) {
      checks += 1
      return identities.verify(request)
    },
  })
  const headers = signed('POST', path, claimOf(Buffer.from(text)))
  const { status, body } = await ask(server.url + path, { method: 'POST', headers, body: text })
  expect({ status, ...JSON.parse(body) }).toEqual({
    status: 200,
    userId: 'u1',
    again: 'u1',
    order: { amount: 1 },
  })
  expect(checks).toBe(1)
})

test('the line of a request names the user by the hash that the gateways write', async () => {
  await using server = await serveApp()
  await ask(server.url + path, { headers: signed('GET', path, NO_BODY) })
  await until(() => server.lines.length > 0)
  expect(server.lines[0]).toMatchObject({ user: createUserHash(options.secret)('u1') })
})

const bodies: [name: string, claim: string, body: string | undefined, status: number][] = [
  ['the body that was signed', claimOf(Buffer.from(text)), text, 200],
  ['a streamed body', STREAMED_BODY, text, 200],
  ['another body', claimOf(Buffer.from(text)), '{"amount":2}', 401],
  ['a body with other spaces', claimOf(Buffer.from(text)), '{"amount": 1}', 401],
  ['no body, where one was signed', claimOf(Buffer.from(text)), undefined, 401],
  ['a body, where none was signed', NO_BODY, text, 401],
  ['an unknown claim', 'later', text, 401],
]

test.for(bodies)('a POST with %s gets its answer', async ([, claim, body, status]) => {
  await using server = await serveApp()
  const send = { method: 'POST', headers: signed('POST', path, claim) }
  const answer = await ask(server.url + path, { ...send, ...(body && { body }) })
  expect(answer.status).toBe(status)
  expect(server.made).toHaveLength(status === 200 ? 1 : 0)
})

test('the body of a request without Content-Length is compared too', async () => {
  await using server = await serveApp()
  for (const [body, status] of [
    [text, 200],
    ['{"amount":3}', 401],
  ] as const) {
    const headers = Object.entries(signed('POST', path, claimOf(Buffer.from(text))))
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('')
    const answer = await talk(
      server.url,
      `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n${headers}\r\n` +
        `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    )
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  }
})

test('a route reads the bytes that were compared, in any form', async () => {
  await using server = await serveApp()
  const body = 'grüße'
  const headers = signed('POST', '/text', claimOf(Buffer.from(body)))
  const answer = await ask(`${server.url}/text`, { method: 'POST', headers, body })
  expect(answer).toMatchObject({ status: 200, body: `u1 ${body}` })
})

test('the signature covers the target as it was sent', async () => {
  await using server = await serveApp()
  const target = `${path}?q="<'>&r=%41`
  const headers = signed('GET', target, NO_BODY)
  expect((await ask(server.url, { path: target, headers })).status).toBe(200)
  for (const other of [`${path}?q=%22%3C'%3E&r=%41`, `${path}?q="<'>&r=A`, path]) {
    expect((await ask(server.url, { path: other, headers })).status).toBe(401)
  }
})

test('a DELETE without a body is valid, and one with an added body is refused', async () => {
  await using server = await serveApp()
  const headers = signed('DELETE', path, NO_BODY)
  expect((await ask(server.url + path, { method: 'DELETE', headers })).status).toBe(200)
  const forged = { ...headers, 'content-length': '2' }
  const answer = await ask(server.url + path, { method: 'DELETE', headers: forged, body: '{}' })
  expect(answer.status).toBe(401)
})

test('a refused identity is logged with its reason, and an unknown path is 404 as before', async () => {
  const late = createIdentities({ ...options, now: () => Date.now() + 60_000 })
  await using server = await serveApp(late)
  const headers = signed('GET', path, NO_BODY)
  expect((await ask(server.url + path, { headers })).status).toBe(401)
  const garbage = { 'x-identity-2': 'garbage' }
  expect((await ask(server.url + path, { headers: garbage })).status).toBe(401)
  expect(server.warnings.map((line) => JSON.parse(line))).toMatchObject([
    { event: 'identity.expired', msg: expect.stringContaining('clocks') },
    { event: 'identity.forged' },
  ])
  expect((await ask(`${server.url}/nowhere`)).status).toBe(404)
})
