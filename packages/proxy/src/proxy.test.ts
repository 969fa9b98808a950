import { createServer as createTcpServer } from 'node:net'
import { expect, vi } from 'vitest'
import { getHeader, setHeader } from './raw-headers.ts'
import { ask, deadOrigin, talk, test, until } from './servers.fixture.ts'

/** Responds with the raw headers of the request. */
const echoHeaders = (req: { rawHeaders: string[] }, res: { end(body: string): unknown }) =>
  void res.end(JSON.stringify(req.rawHeaders))

const head = (start: string, fields = '') => `${start} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`

/** Reads a whole request, counts it, and resets the connection without a response. */
function resetter(onRequest: () => void) {
  return createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      onRequest()
      socket.resetAndDestroy()
    })
  })
}

test('each Set-Cookie remains a separate field, and the case of names is preserved', async ({
  servers,
}) => {
  const app = await servers.serve((_req, res) => {
    res.writeHead(200, ['Set-Cookie', 'a=1', 'X-MiXed', 'yes', 'Set-Cookie', 'b=2']).end()
  })
  const { headers, rawHeaders } = await ask(await servers.proxyOf([app]))
  expect(headers['set-cookie']).toEqual(['a=1', 'b=2'])
  expect(rawHeaders).toContain('X-MiXed')
})

test('hop-by-hop headers are not forwarded in either direction', async ({ servers }) => {
  const app = await servers.serve((req, res) => {
    res.setHeader('Connection', 'X-Secret, keep-alive')
    res.setHeader('X-Secret', 'hop')
    res.setHeader('X-Public', 'end')
    res.setHeader('Proxy-Authenticate', 'Basic')
    echoHeaders(req, res)
  })
  const { headers, body } = await ask(await servers.proxyOf([app]), {
    headers: {
      host: 'shop.example',
      connection: 'x-hop, content-length, host',
      'x-hop': '1',
      'x-end': '2',
      te: 'trailers',
      'proxy-authorization': 'Basic x',
      'keep-alive': 'timeout=9',
      upgrade: 'websocket',
      expect: '100-continue',
    },
  })
  expect(headers).toMatchObject({ 'x-public': 'end' })
  expect(headers).not.toHaveProperty('x-secret')
  expect(headers).not.toHaveProperty('proxy-authenticate')
  const arrived: string[] = JSON.parse(body)
  expect(getHeader(arrived, 'host')).toBe('shop.example')
  expect(arrived.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())).toEqual([
    'host',
    'connection',
    'x-end',
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-proto',
  ])
})

test('the edge replaces X-Forwarded-For, and an inner proxy appends to it', async ({ servers }) => {
  const app = await servers.serve(echoHeaders)
  const spoofed = {
    host: 'shop.example',
    'x-forwarded-for': '6.6.6.6',
    'X-Forwarded-Proto': 'https',
    'x-real-ip': '6.6.6.6',
    forwarded: 'for=6.6.6.6',
  }
  const edge = await servers.proxyOf([app])
  const seen: string[] = JSON.parse((await ask(edge, { headers: spoofed })).body)
  expect(seen.join()).not.toContain('6.6.6.6')
  expect(getHeader(seen, 'x-forwarded-for')).toBe('127.0.0.1')
  expect(getHeader(seen, 'x-forwarded-proto')).toBe('http')
  expect(getHeader(seen, 'x-forwarded-host')).toBe('shop.example')
  expect(getHeader(seen, 'host')).toBe('shop.example')

  const inner = await servers.proxyOf([app], { forwarded: 'append' })
  const appended: string[] = JSON.parse((await ask(inner, { headers: spoofed })).body)
  expect(getHeader(appended, 'x-forwarded-for')).toBe('6.6.6.6, 127.0.0.1')
  expect(getHeader(appended, 'x-forwarded-proto')).toBe('https')
})

test('hooks write an identity that the sender cannot forge, and rewrite responses', async ({
  servers,
}) => {
  const app = await servers.serve((req, res) => {
    res.setHeader('X-Instance-Id', 'auth-1')
    echoHeaders(req, res)
  })
  const proxy = await servers.proxyOf([app], {
    dropRequestHeaders: ['X-User-Id', 'X-Role'],
    requestHeaders: (headers) => headers.push('X-User-Id', 'alice'),
    responseHeaders: (headers) => {
      setHeader(headers, 'X-Instance-Id', `gateway-2, ${getHeader(headers, 'x-instance-id')}`)
    },
  })
  const { headers, body } = await ask(proxy, {
    headers: {
      'x-user-id': 'mallory',
      'x-role': 'admin',
      x_user_id: 'mallory',
      'X-User_Id': 'mallory',
      X_Role: 'admin',
    },
  })
  expect(headers['x-instance-id']).toBe('gateway-2, auth-1')
  expect(body).not.toContain('mallory')
  expect(body).not.toContain('admin')
  expect(getHeader(JSON.parse(body), 'x-user-id')).toBe('alice')
})

test('HEAD, 204 and 304 have no body, and the connection remains usable', async ({ servers }) => {
  const app = await servers.serve((req, res) => {
    if (req.method === 'HEAD') res.writeHead(200, { 'Content-Length': 5 }).end()
    else if (req.url === '/304') res.writeHead(304, { ETag: '"x"' }).end()
    else res.writeHead(204).end()
  })
  const proxy = await servers.proxyOf([app])
  const read = await talk(
    proxy,
    head('HEAD /') + head('GET /304') + head('GET /204', 'Connection: close\r\n'),
  )
  const heads = read.split('\r\n\r\n')
  expect(heads).toHaveLength(4)
  expect(heads[0]).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*Content-Length: 5/)
  expect(heads[1]).toMatch(/^HTTP\/1.1 304 Not Modified\r\n[^]*ETag: "x"/)
  expect(heads[2]).toMatch(/^HTTP\/1.1 204 No Content\r\n/)
  expect(heads[3]).toBe('')
  expect(read).not.toMatch(/transfer-encoding/i)
})

test('early hints of the instance precede its response', async ({ servers }) => {
  const app = await servers.serve((_req, res) => {
    res.writeEarlyHints({ link: ['</a.css>; rel=preload', '</b.css>; rel=preload'] })
    res.end('answer')
  })
  const proxy = await servers.proxyOf([app])
  const read = await talk(proxy, head('GET /', 'Connection: close\r\n'))
  const [hints, final, body] = read.split('\r\n\r\n')
  expect(hints).toBe(
    'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload, </b.css>; rel=preload',
  )
  expect(final).toMatch(/^HTTP\/1.1 200 OK\r\n/)
  expect(body).toContain('answer')
  expect(await ask(proxy)).toMatchObject({ status: 200, body: 'answer' })
  const old = await talk(proxy, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n')
  expect(old).toMatch(/^HTTP\/1.1 200 OK\r\n/)
})

test('Content-Length together with Transfer-Encoding is a 400 that no instance receives', async ({
  servers,
}) => {
  const app = vi.fn((_req: unknown, res: { end(): unknown }) => void res.end())
  const proxy = await servers.proxyOf([await servers.serve(app)])
  const answer = await talk(
    proxy,
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG',
  )
  expect(answer).toMatch(/^HTTP\/1.1 400 /)
  expect(app).not.toHaveBeenCalled()
})

test('an absolute-form target and a repeated Host are a 400', async ({ servers }) => {
  const app = vi.fn((_req: unknown, res: { end(): unknown }) => void res.end())
  const proxy = await servers.proxyOf([await servers.serve(app)])
  const close = 'Connection: close\r\n'
  expect(await talk(proxy, head('GET http://evil/', close))).toMatch(/^HTTP\/1.1 400 /)
  expect(await talk(proxy, head('GET /', `Host: b\r\n${close}`))).toMatch(/^HTTP\/1.1 400 /)
  expect(app).not.toHaveBeenCalled()
})

test('a body over the limit is a 413 by its Content-Length, before it is read', async ({
  servers,
}) => {
  const app = vi.fn((_req: unknown, res: { end(): unknown }) => void res.end())
  const proxy = await servers.proxyOf([await servers.serve(app)], { maxBodyBytes: 10 })
  // No byte of the body is sent, and the response arrives.
  const post = head('POST /', 'Content-Length: 11\r\n')
  const answer = await talk(proxy, post, 'body_too_large')
  expect(answer).toMatch(/^HTTP\/1.1 413 /)
  expect(app).not.toHaveBeenCalled()
  expect((await ask(proxy, { method: 'POST', body: '0123456789' })).status).toBe(200)
})

test('a chunked body is a 413 at the first byte over the limit, and the request to the instance breaks off', async ({
  servers,
}) => {
  const completed = vi.fn()
  const broken = vi.fn()
  const app = await servers.serve((req, res) => {
    req.on('data', () => {})
    req.on('end', () => {
      completed()
      res.end()
    })
    req.on('error', broken)
  })
  const upstream = servers.upstreamOf([app])
  const proxy = await servers.proxyOf(upstream, { maxBodyBytes: 10, bufferBytes: 0 })
  const post = head('POST /', 'Transfer-Encoding: chunked\r\n')
  // The last chunk is not sent.
  const chunks = '6\r\n012345\r\n6\r\n012345\r\n'
  expect(await talk(proxy, post + chunks, 'body_too_large')).toMatch(/^HTTP\/1.1 413 /)
  await until(() => upstream.targets()[0]?.inFlight === 0)
  expect(completed).not.toHaveBeenCalled()
  expect(upstream.targets()[0]?.state).toBe('healthy')
  const whole = await ask(proxy, {
    method: 'POST',
    body: '01234',
    headers: { 'transfer-encoding': 'chunked' },
  })
  expect(whole.status).toBe(200)
})

test('a route without an upstream is a 503', async ({ servers }) => {
  const proxy = await servers.proxyOf([], { upstream: () => undefined })
  expect(JSON.parse((await ask(proxy)).body)).toMatchObject({ code: 'no_instance' })
})

test('a sent POST that was reset is not repeated, and a GET is sent to another instance', async ({
  servers,
}) => {
  const executed: string[] = []
  const broken = await servers.serveTcp(resetter(() => executed.push('broken')))
  const live = await servers.serve((req, res) => {
    executed.push('live')
    req.resume()
    res.end()
  })
  const upstream = () => servers.upstreamOf([live, broken])
  for (const method of ['POST', 'PATCH']) {
    executed.length = 0
    const answer = await ask(await servers.proxyOf(upstream()), { method, body: 'pay' })
    expect(answer.status).toBe(502)
    expect(executed).toEqual(['broken'])
    const bodyless = await ask(await servers.proxyOf(upstream()), { method })
    expect(bodyless.status).toBe(502)
  }
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']) {
    executed.length = 0
    expect((await ask(await servers.proxyOf(upstream()), { method })).status).toBe(200)
    expect(executed).toEqual(['broken', 'live'])
  }
})

test('a PUT whose streamed body was read is not repeated', async ({ servers }) => {
  const live = vi.fn((_req: unknown, res: { end(): unknown }) => void res.end())
  const broken = await servers.serveTcp(resetter(() => {}))
  const upstream = servers.upstreamOf([await servers.serve(live), broken])
  const proxy = await servers.proxyOf(upstream, { bufferBytes: 0 })
  const answer = await ask(proxy, { method: 'PUT', body: 'x' })
  expect(answer.status).toBe(502)
  expect(live).not.toHaveBeenCalled()
})

test('the first request reaches the only one of three instances that is alive', async ({
  servers,
}) => {
  const live = await servers.serve((_req, res) => res.end('alive'))
  const proxy = await servers.proxyOf([await deadOrigin(), await deadOrigin(), live])
  expect((await ask(proxy, { method: 'POST', body: 'x' })).body).toBe('alive')
})

test('an instance that does not respond in time is a 504 and gets the request once', async ({
  servers,
}) => {
  const silent = vi.fn()
  const origin = await servers.serve(silent)
  const upstream = servers.upstreamOf([origin, origin], { headersTimeoutMs: 100 })
  const answer = await ask(await servers.proxyOf(upstream))
  expect(answer.status).toBe(504)
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'upstream_timeout' })
  expect(silent).toHaveBeenCalledTimes(1)
})
