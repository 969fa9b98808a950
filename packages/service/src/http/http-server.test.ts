import { once } from 'node:events'
import { createServer, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { createLog } from '@repo/observability'
import { expect, test, until } from '@repo/testing'
import { z } from 'zod'
import { ask, open, serve, talk } from '../http.fixture.ts'
import { limitHeads } from './head-limit.ts'
import { createHono, listenerOf, readJson } from './hono.ts'
import { createHttpServer } from './http-server.ts'
import { urlOf } from './listen.ts'
import type { Listener } from './server.ts'

const echo: Listener = (req, res) => res.end(JSON.stringify(req.headers))

function problemOf(raw: string): { head: string; problem: Record<string, unknown> } {
  const end = raw.indexOf('\r\n\r\n')
  return { head: raw.slice(0, end), problem: JSON.parse(raw.slice(end + 4)) }
}

test.for(['TRACE', 'PROPFIND', 'MKCOL', 'PURGE', 'M-SEARCH', 'SUBSCRIBE'])(
  'a %s gets a 405 problem with Allow, and reaches no app',
  async (method) => {
    let calls = 0
    await using server = await serve((req, res) => {
      calls += 1
      return echo(req, res)
    })
    for (const path of ['/', '/livez']) {
      const answer = await ask(server.url + path, {
        method,
        headers: { cookie: 'session=hunter2' },
      })
      expect(answer).toMatchObject({
        status: 405,
        headers: {
          'content-type': 'application/problem+json',
          allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
        },
      })
      expect(answer.body).toContain('urn:threefold:problem:unsupported-method')
      expect(answer.body).not.toContain('hunter2')
    }
    expect(calls).toBe(0)
    await until(() => server.lines.length === 2)
    expect(server.lines).toMatchObject([{ method, status: 405 }, { status: 405 }])
  },
)

const refused: Record<string, [bytes: string, status: number, code: string]> = {
  CONNECT: [
    'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n',
    405,
    'unsupported-method',
  ],
  'an unknown method': ['BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'unsupported-method'],
  'a line that is no request': ['nonsense\r\n\r\n', 400, 'malformed-request'],
  'a head over 16 KiB': [
    `GET / HTTP/1.1\r\nHost: a\r\nCookie: ${'x'.repeat(20_000)}\r\n\r\n`,
    431,
    'head-too-large',
  ],
  'an unknown expectation': [
    'GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-maybe\r\n\r\n',
    417,
    'unknown-expectation',
  ],
}

test.for(Object.entries(refused))(
  '%s gets a problem document, and the server continues to serve',
  async ([, [bytes, status, code]]) => {
    await using server = await serve(echo)
    const { head, problem } = problemOf(await talk(server.url, bytes))
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(head.toLowerCase()).toContain('content-type: application/problem+json')
    expect(head.toLowerCase()).toContain('connection: close')
    expect(problem).toMatchObject({ status, type: `urn:threefold:problem:${code}` })
    expect((await ask(server.url)).status).toBe(200)
  },
)

test('a response that has begun is not followed by a problem for the bytes after it', async () => {
  await using server = await serve((_req, res) => void res.writeHead(200).write('begun'))
  const socket = await open(server.url)
  const answer = text(socket.setEncoding('latin1'))
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => server.inFlight() === 1)
  socket.write('nonsense\r\n\r\n')
  expect(await answer).not.toContain('malformed-request')
})

async function serveOrders() {
  const log = createLog({ app: 'test', instance: 'test-1', version: '', level: 'silent' })
  const app = createHono({ log, maxBodyBytes: 1_000 })
  app.post('/refused', (c) => c.json({ refused: true }, 401))
  app.post('/order', async (c) => c.json(await readJson(c, z.strictObject({ amount: z.int() }))))
  return serve(listenerOf(app))
}

function expecting(path: string, length: number): string {
  return `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n\r\n`
}

test('a request with Expect that is refused gets no 100, and its connection is closed', async () => {
  await using server = await serveOrders()
  for (const [path, length, status] of [
    ['/refused', 12, 401],
    ['/order', 2_000, 413],
    ['/missing', 12, 404],
  ] as const) {
    const answer = await talk(server.url, expecting(path, length))
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).toMatch(/^connection: close\r$/im)
    expect(answer).not.toContain('100 Continue')
  }
})

test('a request with Expect gets 100 when its body is read, and then its response', async () => {
  await using server = await serveOrders()
  const body = '{"amount":1}'
  const socket = await open(server.url)
  socket.setEncoding('latin1').write(expecting('/order', body.length))
  const [interim]: string[] = await once(socket, 'data')
  expect(interim).toBe('HTTP/1.1 100 Continue\r\n\r\n')
  socket.write(body)
  const answer = await text(socket)
  expect(answer).toMatch(/^HTTP\/1.1 200 /)
  expect(answer).toContain(body)
})

test('the body of a refused request with Expect is never read as a request', async () => {
  await using server = await serveOrders()
  const hidden = 'GET /missing HTTP/1.1\r\nHost: a\r\n\r\n'
  const answer = await talk(server.url, expecting('/refused', hidden.length) + hidden)
  expect(answer.match(/HTTP\/1\.1 \d/g)).toHaveLength(1)
  await until(() => server.lines.length > 0)
  expect(server.lines).toHaveLength(1)
})

test('the time limits of a request are those of the contract', () => {
  const server = createHttpServer({
    serve: () => undefined,
    response: ServerResponse,
    keepAliveTimeoutMs: 65_000,
  })
  expect(server).toMatchObject({
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    keepAliveTimeout: 65_000,
  })
})

const PARTIAL = 'GET / HTTP/1.1\r\nHost: a\r\n'

/** A server whose connections without a complete head are limited, and its URL. */
async function serveLimited(limits: Parameters<typeof limitHeads>[1]) {
  const server = createServer((_req, res) => res.end('served'))
  limitHeads(server, limits)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: urlOf(server.address()),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Opens connections whose heads stay incomplete; `closed` has those that the server has closed. */
async function openSlow(url: string, count: number) {
  const closed: Socket[] = []
  const slow = await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = await open(url)
      socket.once('close', () => closed.push(socket))
      socket.resume().write(PARTIAL)
      return socket
    }),
  )
  return { slow, closed }
}

test('of 250 slow heads of one address 8 connections remain, and other requests are served', async () => {
  await using server = await serveLimited({ maxPerAddress: 8, minAgeMs: 1 })
  const { slow, closed } = await openSlow(server.url, 250)
  await until(() => closed.length === 242)
  expect((await ask(server.url)).body).toBe('served')
  const remaining = slow.filter((socket) => !closed.includes(socket))
  // A request that completes its head is served.
  const last = remaining.at(-1)
  const answer = once(last!, 'data')
  last!.write('Connection: close\r\n\r\n')
  expect(String((await answer)[0])).toContain('served')
})

test('connections whose heads are complete do not reset the limit of their address when they close', async () => {
  await using server = await serveLimited({ maxPerAddress: 8, minAgeMs: 1 })
  const idle = [await open(server.url), await open(server.url)]
  for (const socket of idle) {
    const answer = once(socket, 'data')
    socket.write(`${PARTIAL}\r\n`)
    await answer
  }
  // Each one closes while no other head of the address was incomplete when it began.
  const groups: { closed: Socket[] }[] = []
  for (const socket of idle) {
    socket.end()
    await once(socket, 'close')
    groups.push(await openSlow(server.url, 8))
  }
  await until(() => groups.reduce((sum, { closed }) => sum + closed.length, 0) === 8)
})

test('a burst of 200 connections that send their requests is served, above the limit too', async () => {
  await using server = await serveLimited({ maxPerAddress: 4 })
  const answers = await Promise.all(Array.from({ length: 200 }, () => ask(server.url)))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(200)
})

test('JSON with names of the prototype is refused, and changes no object', async () => {
  await using server = await serveOrders()
  const bodies = [
    '{"amount":1,"__proto__":{"admin":true}}',
    '{"amount":1,"constructor":{"prototype":{"admin":true}}}',
    '{"__proto__":{"amount":1}}',
  ]
  for (const body of bodies) {
    const headers = { 'content-type': 'application/json' }
    const answer = await ask(`${server.url}/order`, { method: 'POST', headers, body })
    expect(answer.status, body).toBe(422)
  }
  expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('admin')
})

test.for([
  ['of HTTP/0.9', 'GET /api/x\nX-A: b\r\n\r\n'],
  [
    'with half an IPv6 address as its Host',
    'GET /api/x HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n',
  ],
])('a request %s is a 400 problem and reaches no app', async ([, bytes = '']) => {
  let calls = 0
  await using server = await serve((req, res) => {
    calls += 1
    return echo(req, res)
  })
  const raw = await talk(server.url, bytes)
  expect(raw).toContain(' 400 Bad Request')
  expect(calls).toBe(0)
})
