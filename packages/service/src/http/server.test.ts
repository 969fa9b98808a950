import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { currentRequest } from '@repo/observability'
import { expect, test, until } from '@repo/testing'
import { ask, open, serve, talk } from '../http.fixture.ts'
import type { Listener } from './server.ts'

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const TRACEPARENT = `00-${TRACE}-00f067aa0ba902b7-01`

/** Responds with the raw headers, as the app and the proxy receive them. */
const echo: Listener = (req, res) => res.end(JSON.stringify(req.rawHeaders))

function valuesOf(rawHeaders: string, name: string): string[] {
  const raw: string[] = JSON.parse(rawHeaders)
  return raw.filter((_, at) => raw[at - 1]?.toLowerCase() === name && at % 2 === 1)
}

test.for(['01890a5d-ac96-774b-bcce-b302099a8057', 'ORDER:2026.11_24', 'a'.repeat(128)])(
  'a well-formed request id is preserved and forwarded: %s',
  async (id) => {
    await using server = await serve(echo)
    const { headers, body } = await ask(server.url, { headers: { 'x-request-id': id } })
    expect(headers['x-request-id']).toBe(id)
    expect(valuesOf(body, 'x-request-id')).toEqual([id])
  },
)

test.for([
  'short',
  'a'.repeat(129),
  'with space inside',
  '{"level":"fatal"}',
  'a\tb-c-d-e',
  'ümläut-umlaut',
])('a malformed request id is replaced by a UUIDv7: %s', async (id) => {
  await using server = await serve(echo)
  const headers = { 'x-request-id': Buffer.from(id).toString('latin1') }
  const answer = await ask(server.url, { headers })
  expect(answer.headers['x-request-id']).toMatch(UUID_V7)
  expect(valuesOf(answer.body, 'x-request-id')).toEqual([answer.headers['x-request-id']])
  expect(JSON.stringify(server.lines)).not.toContain(id)
})

test('a request with several ids and traces is forwarded with one new id and one trace', async () => {
  await using server = await serve(echo)
  const said = await talk(
    server.url,
    'GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: first-of-two\r\nx-request-id: second-of-two\r\n' +
      `traceparent: ${TRACEPARENT}\r\ntraceparent: ${TRACEPARENT}\r\nConnection: close\r\n\r\n`,
  )
  expect(said).not.toContain('first-of-two')
  expect(said).not.toContain('second-of-two')
  const body = said.slice(said.indexOf('["'), said.lastIndexOf(']') + 1)
  expect(valuesOf(body, 'x-request-id')).toEqual([expect.stringMatching(UUID_V7)])
  expect(valuesOf(body, 'traceparent')).toHaveLength(1)
})

test('each request without an id gets a new one', async () => {
  await using server = await serve(echo)
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(server.url)))
  expect(new Set(answers.map(({ headers }) => headers['x-request-id'])).size).toBe(20)
})

test('a valid trace continues with its id and flags, and with this instance as the parent', async () => {
  await using server = await serve(echo)
  const headers = { traceparent: TRACEPARENT, tracestate: 'vendor=1' }
  const { body } = await ask(server.url, { headers })
  const [sent] = valuesOf(body, 'traceparent')
  expect(sent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`))
  expect(sent).not.toBe(TRACEPARENT)
  expect(valuesOf(body, 'tracestate')).toEqual(['vendor=1'])
  await until(() => server.lines.length)
  expect(server.lines[0]).toMatchObject({ trace: TRACE })
})

test('the flag of a trace from outside is replaced by our decision, and its id is preserved', async () => {
  for (const [decision, flags] of [
    [true, '01'],
    [false, '00'],
  ] as const) {
    await using server = await serve(echo, () => decision)
    for (const received of ['00', '01', '03', 'ff']) {
      const headers = { traceparent: TRACEPARENT.slice(0, -2) + received, tracestate: 'vendor=1' }
      const { body } = await ask(server.url, { headers })
      expect(valuesOf(body, 'traceparent')).toEqual([
        expect.stringMatching(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-${flags}$`)),
      ])
      expect(valuesOf(body, 'tracestate')).toEqual(['vendor=1'])
    }
    const { body } = await ask(server.url)
    expect(valuesOf(body, 'traceparent')).toEqual([expect.stringMatching(new RegExp(`-${flags}$`))])
  }
})

test('behind the gateway, its decision about a trace is preserved', async () => {
  await using server = await serve(echo)
  for (const flags of ['00', '01']) {
    const headers = { traceparent: TRACEPARENT.slice(0, -2) + flags }
    const { body } = await ask(server.url, { headers })
    expect(valuesOf(body, 'traceparent')).toEqual([expect.stringMatching(new RegExp(`-${flags}$`))])
  }
})

test.for([
  `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`,
  `00-${TRACE}-00f067aa0ba902b7-01-more`,
  `ff-${TRACE}-00f067aa0ba902b7-01`,
  'nonsense',
])(
  'a new trace replaces the malformed traceparent %s, and its tracestate is dropped',
  async (traceparent) => {
    await using server = await serve(echo)
    const { body } = await ask(server.url, { headers: { traceparent, tracestate: 'vendor=1' } })
    const [sent] = valuesOf(body, 'traceparent')
    expect(sent).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    expect(sent).not.toContain(TRACE)
    expect(valuesOf(body, 'tracestate')).toEqual([])
  },
)

test('currentRequest returns the request that is being served, also in callbacks and timers', async () => {
  const seen: (string | undefined)[] = []
  await using server = await serve(async (req, res) => {
    await new Promise(setImmediate)
    seen.push(currentRequest()?.id)
    res.end(req.headers['x-request-id'])
  })
  const ids = Array.from({ length: 20 }, (_, index) => `request-${index}`)
  const answers = await Promise.all(
    ids.map((id) => ask(server.url, { headers: { 'x-request-id': id } })),
  )
  expect(answers.map(({ body }) => body)).toEqual(ids)
  expect(new Set(seen)).toEqual(new Set(ids))
  expect(currentRequest()).toBeUndefined()
})

test('each request is one log line and one count, with its status', async () => {
  await using server = await serve((_req, res) => res.writeHead(418).end())
  await ask(`${server.url}/tea?token=hunter2`, { headers: { cookie: 'session=hunter2' } })
  await until(() => server.lines.length)
  expect(server.lines).toMatchObject([
    { event: 'request', instance: 'test-1', method: 'GET', path: '/tea', status: 418 },
  ])
  expect(server.lines[0]).not.toHaveProperty('cut')
  expect(JSON.stringify(server.lines)).not.toContain('hunter2')
  const metrics = await server.metrics.registry.metrics()
  expect(metrics).toMatch(/request_seconds_count\{[^}]*route="unmatched",status_class="4xx"\} 1/)
  expect(metrics).toMatch(/responses_total\{status="418",[^}]*\} 1/)
})

test.for([
  () => {
    throw new Error('hunter2')
  },
  async () => {
    throw new Error('hunter2')
  },
])(
  'a request gets a 500 when the app throws an error, and the server continues to serve',
  async (failing: Listener) => {
    let calls = 0
    await using server = await serve((req, res) => {
      calls += 1
      return calls === 1 ? failing(req, res) : echo(req, res)
    })
    const broken = await ask(server.url)
    expect(broken.status).toBe(500)
    expect(broken.headers['content-type']).toBe('application/problem+json')
    expect(broken.body).not.toContain('hunter2')
    expect(server.lines).toContainEqual(expect.objectContaining({ event: 'error', level: 'error' }))
    expect((await ask(server.url)).status).toBe(200)
  },
)

test('a request whose client disconnects before the response is a 499 and no longer in flight', async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<void>()
  await using server = await serve(() => resolve())
  const socket = await open(server.url)
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await arrived
  expect(server.inFlight()).toBe(1)
  socket.destroy()
  await until(() => server.inFlight() === 0)
  expect(server.lines).toMatchObject([{ status: 499, cut: true }])
})

test('a request with an incomplete response is logged with its status and as cut', async () => {
  await using server = await serve((_req, res) => {
    res.writeHead(200, { 'content-length': 100 }).write('half', () => res.destroy())
  })
  await expect(ask(server.url)).rejects.toThrow()
  await until(() => server.lines.length)
  expect(server.lines).toMatchObject([{ status: 200, cut: true }])
})

const malformed = {
  '400 for a line that is no request': ['nonsense\r\n\r\n', 400],
  '400 for a request without a Host': ['GET / HTTP/1.1\r\n\r\n', 400],
  '400 for a header with a bare line feed': ['GET / HTTP/1.1\r\nHost: a\r\nX: a\nb\r\n\r\n', 400],
  '400 for two lengths of one body': [
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    400,
  ],
  '431 for a head over 16 KiB': [
    `GET / HTTP/1.1\r\nHost: a\r\nCookie: ${'x'.repeat(20_000)}\r\n\r\n`,
    431,
  ],
} satisfies Record<string, [string, number]>

test.for(Object.entries(malformed))(
  'a server responds with %s and continues to serve',
  async ([, [bytes, status]]) => {
    await using server = await serve(echo)
    expect(await talk(server.url, bytes)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect((await ask(server.url)).status).toBe(200)
  },
)

test('a request whose head is incomplete gets a 408', async () => {
  await using server = await serve(echo)
  server.server.headersTimeout = 1
  expect(await talk(server.url, 'GET / HTTP/1.1\r\nHost: a\r\n')).toMatch(/^HTTP\/1.1 408 /)
  expect((await ask(server.url)).status).toBe(200)
})

test('a draining server sends Connection: close, also in the response of a request in flight', async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<IncomingMessage>()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  await using server = await serve(async (req, res) => {
    resolve(req)
    await released
    res.end('late')
  })
  const answer = ask(server.url, { headers: { connection: 'keep-alive' } })
  await arrived
  server.leave()
  release()
  expect(await answer).toMatchObject({ body: 'late', headers: { connection: 'close' } })
  const next = await ask(server.url, { headers: { connection: 'keep-alive' } })
  expect(next.headers.connection).toBe('close')
})

test('a draining server cuts silent connections and half requests, and no request in flight', async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<void>()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  await using server = await serve(async (_req, res) => {
    resolve()
    await released
    res.end('late')
  })
  const silent = await open(server.url)
  const half = await open(server.url)
  half.write('GET / HTTP/1.1\r\n')
  const answer = ask(server.url)
  await arrived
  const closed = Promise.all([once(silent, 'close'), once(half, 'close')])
  server.closeSilent()
  await closed
  release()
  expect(await answer).toMatchObject({ status: 200, body: 'late' })
})

test('a body that is malformed after its head, and a late one, is one response in the log and in the figures', async () => {
  await using server = await serve((req) => void req.resume())
  const head = 'POST / HTTP/1.1\r\nHost: a\r\n'
  expect(await talk(server.url, `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`)).toMatch(
    /^HTTP\/1.1 400 /,
  )
  server.server.headersTimeout = server.server.requestTimeout = 1
  expect(await talk(server.url, `${head}Content-Length: 9\r\n\r\nhalf`)).toMatch(/^HTTP\/1.1 408 /)
  await until(() => server.lines.length === 2)
  expect(server.lines).toMatchObject([{ status: 400 }, { status: 408 }])
  for (const line of server.lines) expect(line).not.toHaveProperty('cut')
  const metrics = await server.metrics.registry.metrics()
  const statuses = metrics.matchAll(/^threefold_http_responses_total\{status="(\d+)".*\} (\d+)$/gm)
  expect(Array.from(statuses, ([, status, count]) => [status, count])).toEqual([
    ['400', '1'],
    ['408', '1'],
  ])
  expect(metrics).toMatch(/request_seconds_count\{[^}]*status_class="4xx"\} 2/)
})
