import { request } from 'node:http'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import type { ProxyProblem } from './problem.ts'
import { createProxy } from './proxy.ts'
import type { RawHeaders } from './raw-headers.ts'
import { ask, talk, test, until } from './servers.fixture.ts'
import type { ProxyOptions } from './settings.ts'
import type { Upstream } from './upstream/upstream.ts'

// A hang is a failure within 5 s.
vi.setConfig({ testTimeout: 5_000 })

const uncaught: unknown[] = []
const note = (error: unknown) => void uncaught.push(error)

beforeEach(() => {
  uncaught.length = 0
  process.on('uncaughtExceptionMonitor', note)
  vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
})

afterEach(() => {
  process.off('uncaughtExceptionMonitor', note)
  vi.restoreAllMocks()
  expect(uncaught).toEqual([])
})

/** A server that responds to each request with these bytes, and then closes the connection. */
function answering(bytes: string, encoding: BufferEncoding = 'latin1') {
  return createTcpServer((socket: Socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(bytes, encoding))
  })
}

const BODY = 'Content-Length: 2\r\n\r\nok'
const FINE = `HTTP/1.1 200 OK\r\n${BODY}`
const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

/** Checks that the instance has no request in flight and is not ejected. */
async function expectUntouched(upstream: Upstream) {
  await until(() => upstream.targets().every(({ inFlight }) => inFlight === 0))
  expect(upstream.targets().map(({ state }) => state)).toEqual(['healthy'])
}

test.for([
  ['with a control character', 'Fi\u0001ne'],
  ['with an escape sequence', '\u001b[31mFine'],
  ['with a delete character', 'Fine\u007f'],
  ['with a character outside of Latin-1', 'Fine \u2713'],
  ['of nothing but a control character', '\u0008'],
  ['that is missing', ''],
])(
  'a reason phrase %s is replaced, and the response is forwarded',
  async ([, reason = ''], { servers }) => {
    const bytes = `HTTP/1.1 201 ${reason}\r\n${BODY}`
    const upstream = servers.upstreamOf([await servers.serveTcp(answering(bytes, 'utf8'))])
    const proxy = await servers.proxyOf(upstream)
    for (let i = 0; i < 4; i += 1) {
      const said = await talk(proxy, REQUEST)
      expect(said).toMatch(/^HTTP\/1\.1 201 (Created)?\r\n/)
      expect(said).toMatch(/ok$/)
    }
    await expectUntouched(upstream)
  },
)

test('a reason phrase in Latin-1 and an unusual one are forwarded unchanged', async ({
  servers,
}) => {
  for (const reason of ['\u00c9t\u00e9', 'All\tgood', '~!@#']) {
    const origin = await servers.serveTcp(answering(`HTTP/1.1 201 ${reason}\r\n${BODY}`, 'utf8'))
    const said = await talk(await servers.proxyOf([origin]), REQUEST)
    expect(said.split('\r\n', 1)[0]).toBe(`HTTP/1.1 201 ${reason}`)
  }
})

test.for([
  ['status 99', `HTTP/1.1 099 Low\r\n${BODY}`],
  ['status 0', `HTTP/1.1 000 Zero\r\n${BODY}`],
  ['status 600', `HTTP/1.1 600 High\r\n${BODY}`],
  ['status 999', `HTTP/1.1 999 Highest\r\n${BODY}`],
  ['status 1000', `HTTP/1.1 1000 Higher\r\n${BODY}`],
  ['status 100 alone', 'HTTP/1.1 100 Continue\r\n\r\n'],
  [
    'status 101 that nobody asked for',
    'HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
  ],
  ['an informational response and no other', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
  ['no status', `HTTP/1.1 Fine\r\n${BODY}`],
  ['a control character in a value', `HTTP/1.1 200 OK\r\nX-A: a\u0001b\r\n${BODY}`],
  ['NUL in a value', `HTTP/1.1 200 OK\r\nX-A: a\u0000b\r\n${BODY}`],
  ['a control character in a cookie', `HTTP/1.1 200 OK\r\nSet-Cookie: a=\u0007\r\n${BODY}`],
  ['a delete character in a cookie', `HTTP/1.1 200 OK\r\nSet-Cookie: a=\u007f\r\n${BODY}`],
  ['a space in a name', `HTTP/1.1 200 OK\r\nX A: b\r\n${BODY}`],
  ['a name that is no token', `HTTP/1.1 200 OK\r\nX(A): b\r\n${BODY}`],
  ['a name of Latin-1', `HTTP/1.1 200 OK\r\nX\u00e9: b\r\n${BODY}`],
  ['an empty name', `HTTP/1.1 200 OK\r\n: b\r\n${BODY}`],
  ['a header that is too long', `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(40_000)}\r\n${BODY}`],
  ['too many headers', `HTTP/1.1 200 OK\r\n${'X-A: b\r\n'.repeat(9_000)}${BODY}`],
  ['two lengths', `HTTP/1.1 200 OK\r\nContent-Length: 3\r\n${BODY}`],
  ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok'],
  ['no HTTP at all', 'SSH-2.0-OpenSSH_9.7\r\n'],
  ['another version', `HTTP/3.7 200 OK\r\n${BODY}`],
  ['nothing', ''],
])('a malformed response is a 502: %s', async ([, bytes = ''], { servers }) => {
  const upstream = servers.upstreamOf([await servers.serveTcp(answering(bytes))])
  const proxy = await servers.proxyOf(upstream)
  const { status, headers } = await ask(proxy, { method: 'POST', body: 'x' })
  expect(status).toBe(502)
  expect(headers).toMatchObject({ 'content-type': 'application/problem+json' })
  expect(headers).not.toHaveProperty('set-cookie')
  await until(() => upstream.targets().every(({ inFlight }) => inFlight === 0))
})

test.for([
  [
    'trailers',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-A: \u0001\r\n\r\n`,
  ],
  ['a chunk size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n'],
  ['the end of its body', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok'],
])(
  'a response with a malformed part (%s) breaks off or is whole',
  async ([, bytes = ''], { servers }) => {
    const upstream = servers.upstreamOf([await servers.serveTcp(answering(bytes))])
    const proxy = await servers.proxyOf(upstream)
    const outcome = await ask(proxy).then(
      ({ body }) => body,
      () => 'broken',
    )
    expect(['ok', 'broken']).toContain(outcome)
    await until(() => upstream.targets().every(({ inFlight }) => inFlight === 0))
  },
)

test.for([
  [
    '1000 early hints',
    'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n'.repeat(1_000),
    8,
  ],
  ['malformed early hints', 'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n', 0],
  ['early hints without a link', 'HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n', 0],
  ['another informational response', 'HTTP/1.1 102 Processing\r\n\r\n', 0],
] as const)(
  'a response after %s is forwarded, with %i early hints',
  async ([, bytes, count], { servers }) => {
    const origin = await servers.serveTcp(answering(bytes + FINE))
    const said = await talk(await servers.proxyOf([origin]), REQUEST)
    expect(said.split('HTTP/1.1 103 ')).toHaveLength(count + 1)
    expect(said).toMatch(/HTTP\/1\.1 200 OK\r\n/)
    expect(said.split('HTTP/1.1 ')).toHaveLength(count + 2)
  },
)

test('a response with an invalid status does not eject the instance', async ({ servers }) => {
  const bytes = `HTTP/1.1 999 Highest\r\nSet-Cookie: a=b\r\n${BODY}`
  const upstream = servers.upstreamOf([await servers.serveTcp(answering(bytes))])
  const proxy = await servers.proxyOf(upstream)
  for (let i = 0; i < 4; i += 1) expect((await ask(proxy)).status).toBe(502)
  await expectUntouched(upstream)
})

const thrown = new Error('thrown by a hook')
const throwing = () => {
  throw thrown
}

const reject = async () => Promise.reject(thrown)

type Options = Partial<ProxyOptions<void>>

const broken: [string, Options][] = [
  ['upstream throws', { upstream: throwing }],
  ['requestHeaders throws', { requestHeaders: throwing }],
  ['responseHeaders throws', { responseHeaders: throwing }],
  ...['\u0001', 'a\r\nX-B: c', '\u2713', '\u0000'].flatMap((value): [string, Options][] => [
    [
      `requestHeaders adds the value ${JSON.stringify(value)}`,
      { requestHeaders: (headers: RawHeaders) => void headers.push('X-A', value) },
    ],
    [
      `responseHeaders adds the value ${JSON.stringify(value)}`,
      { responseHeaders: (headers: RawHeaders) => void headers.push('X-A', value) },
    ],
  ]),
  ...['X A', '', 'X\u00e9'].flatMap((name): [string, Options][] => [
    [
      `requestHeaders adds the name ${JSON.stringify(name)}`,
      { requestHeaders: (headers: RawHeaders) => void headers.push(name, 'b') },
    ],
    [
      `responseHeaders adds the name ${JSON.stringify(name)}`,
      { responseHeaders: (headers: RawHeaders) => void headers.push(name, 'b') },
    ],
  ]),
  ['requestHeaders adds half a field', { requestHeaders: (headers) => void headers.push('X-A') }],
]

test.for(broken)(
  'a faulty hook is a 500 and no failure of the instance: %s',
  async ([, options], { servers }) => {
    const fields = 'Set-Cookie: a=b\r\nContent-Encoding: br\r\n'
    const bytes = `HTTP/1.1 200 OK\r\n${fields}${BODY}`
    const upstream = servers.upstreamOf([await servers.serveTcp(answering(bytes))])
    const problems: ProxyProblem[] = []
    const proxy = await servers.proxyOf(upstream, options)
    const noting = await servers.proxyOf(upstream, {
      ...options,
      onProblem(_req, res, problem) {
        problems.push(problem)
        res.writeHead(problem.status).end()
      },
    })
    for (let i = 0; i < 4; i += 1) {
      const { status, headers, body } = await ask(proxy, { method: i % 2 ? 'POST' : 'GET' })
      expect(status).toBe(500)
      expect(JSON.parse(body)).toMatchObject({ code: 'internal', status: 500 })
      expect(headers).not.toHaveProperty('set-cookie')
      expect(headers).not.toHaveProperty('content-encoding')
    }
    expect((await ask(noting)).status).toBe(500)
    expect(problems).toMatchObject([{ code: 'internal', cause: expect.any(Error) }])
    await expectUntouched(upstream)
  },
)

test('a faulty hook leaves the headers of the server, and none of the instance', async ({
  servers,
}) => {
  const bytes = `HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n${BODY}`
  const upstream = servers.upstreamOf([await servers.serveTcp(answering(bytes))])
  const proxy = createProxy({
    upstream,
    responseHeaders: (headers) => void headers.push('X-A', '\u0001'),
  })
  const origin = await servers.serve((req, res) => {
    res.setHeader('X-Instance-Id', 'gateway-1')
    proxy(req, res)
  })
  const { status, headers } = await ask(origin)
  expect(status).toBe(500)
  expect(headers).toMatchObject({ 'x-instance-id': 'gateway-1' })
  expect(headers).not.toHaveProperty('set-cookie')
  expect(headers['content-length']).not.toBe('2')
})

test('a throwing onProblem hook leads to a 500', async ({ servers }) => {
  const upstream = servers.upstreamOf([await servers.serveTcp(answering(FINE))])
  for (const options of [
    { upstream: () => undefined, onProblem: throwing },
    { requestHeaders: throwing, onProblem: throwing },
    { responseHeaders: throwing, onProblem: throwing },
  ]) {
    const proxy = await servers.proxyOf(upstream, options)
    expect(await ask(proxy)).toMatchObject({ status: 500 })
    expect(await ask(proxy, { method: 'POST', body: 'x' })).toMatchObject({ status: 500 })
  }
  await expectUntouched(upstream)
})

test('a hook that throws within its response breaks the connection', async ({ servers }) => {
  const proxy = await servers.proxyOf([await servers.serveTcp(answering(FINE))], {
    upstream: () => undefined,
    onProblem(_req, res) {
      res.writeHead(503, { 'content-length': 9 })
      res.write('half')
      throw thrown
    },
  })
  await expect(ask(proxy)).rejects.toThrow()
})

test('a rejecting async hook leaves no client without a response', async ({ servers }) => {
  const silent = await servers.serveTcp(createTcpServer(() => undefined))
  for (const options of [
    { requestHeaders: reject },
    { upstream: () => undefined, onProblem: reject },
  ]) {
    const proxy = await servers.proxyOf([silent], options)
    await expect(ask(proxy)).rejects.toThrow()
  }
})

test('a throwing hook for events has no effect', async ({ servers }) => {
  const origin = await servers.serveTcp(answering(''))
  const upstream = servers.upstreamOf([origin], {
    onEvent: throwing,
    healthCheck: { path: '/readyz', intervalMs: 10, timeoutMs: 100 },
  })
  const proxy = await servers.proxyOf(upstream)
  for (let i = 0; i < 4; i += 1) {
    expect((await ask(proxy, { method: 'POST' })).status).toBe(502)
  }
  await until(() => upstream.targets()[0]?.state === 'down')
})

test.for([
  ['a path beyond ASCII', 'GET /\u00e9 HTTP/1.1'],
  ['a path with a control character', 'GET /\u0001 HTTP/1.1'],
  ['an unusual method', 'PROPFIND / HTTP/1.1'],
  ['TRACE', 'TRACE / HTTP/1.1'],
  ['an unknown method', 'GRAB / HTTP/1.1'],
  ['CONNECT', 'CONNECT a:1 HTTP/1.1'],
  ['an asterisk', 'OPTIONS * HTTP/1.1'],
  ['two hosts', 'GET / HTTP/1.1\r\nHost: b'],
  ['an odd length', 'GET / HTTP/1.1\r\nContent-Length: 1e1'],
])(
  'a client that sends %s gets a response, or its connection is closed',
  async ([, line], { servers }) => {
    const upstream = servers.upstreamOf([await servers.serveTcp(answering(FINE))])
    const proxy = await servers.proxyOf(upstream)
    for (let i = 0; i < 4; i += 1) {
      const said = await talk(proxy, `${line}\r\nHost: a\r\nConnection: close\r\n\r\n`)
      expect(said).toMatch(/^(HTTP\/1\.1 (200|400) |$)/)
    }
    await expectUntouched(upstream)
  },
)

test('a client that disconnects at any moment is no failure of the instance', async ({
  servers,
}) => {
  const upstream = servers.upstreamOf([
    await servers.serve((req, res) => {
      if (req.url === '/silent') return
      res.writeHead(200).write('begun')
    }),
  ])
  const proxy = await servers.proxyOf(upstream)
  for (const path of ['/silent', '/begun']) {
    for (const method of ['GET', 'POST']) {
      const leaving = new AbortController()
      const asked = fetch(proxy + path, { method, signal: leaving.signal })
      await until(() => upstream.targets()[0]?.inFlight === 1)
      if (path === '/begun') await asked
      leaving.abort()
      await asked.then((response) => response.text()).catch(() => undefined)
      await until(() => upstream.targets()[0]?.inFlight === 0)
    }
  }
  await expectUntouched(upstream)
})

test('a client that disconnects during its response ends no other request', async ({ servers }) => {
  const upstream = servers.upstreamOf([
    await servers.serve((_req, res) => void res.end(Buffer.alloc(20_000_000))),
  ])
  const proxy = await servers.proxyOf(upstream)
  for (let i = 0; i < 5; i += 1) {
    const leaving = new AbortController()
    const response = await fetch(proxy, { signal: leaving.signal })
    leaving.abort()
    await response.text().catch(() => undefined)
  }
  await expectUntouched(upstream)
  expect((await ask(proxy)).body).toHaveLength(20_000_000)
})

test('an instance that resets connections before the body is complete is not ejected', async ({
  servers,
}) => {
  const instance = await servers.serveTcp(
    createTcpServer((socket) => {
      socket.on('error', () => undefined).once('data', () => socket.resetAndDestroy())
    }),
  )
  const events: unknown[] = []
  const upstream = servers.upstreamOf([instance], { onEvent: (event) => void events.push(event) })
  const proxy = await servers.proxyOf(upstream, { bufferBytes: 1 })
  for (let i = 0; i < 5; i += 1) {
    const status = await new Promise((resolve, fail) => {
      const headers = { 'content-length': 100_000 }
      const req = request(proxy, { agent: false, method: 'POST', headers }, (res) => {
        resolve(res.statusCode)
        req.destroy()
      })
      req.on('error', fail).write(Buffer.alloc(50_000))
    })
    expect(status).toBe(502)
  }
  expect(events).toEqual([])
  expect(upstream.targets()).toMatchObject([{ state: 'healthy' }])
})
