import { createLog } from '@repo/observability'
import { expect, test } from '@repo/testing'
import { ask, serve, talk } from '../http.fixture.ts'
import { createHono, listenerOf, ProblemError } from './hono.ts'
import { sendProblem } from './problem.ts'
import type { Listener } from './server.ts'

const headers = { 'x-request-id': 'request-1' }

/** Every way in which an app writes a head. */
const listeners: Record<string, Listener> = {
  'no head': (_req, res) => void res.end('x'),
  'a status': (_req, res) => void res.writeHead(201).end(),
  'an object': (_req, res) => void res.writeHead(200, { 'Content-Type': 'text/plain' }).end('x'),
  'a reason and an object': (_req, res) =>
    void res.writeHead(200, 'Fine', { 'content-length': 1, 'set-cookie': ['a=1', 'b=2'] }).end('x'),
  'raw headers': (_req, res) =>
    void res.writeHead(200, ['Set-Cookie', 'a=1', 'set-cookie', 'b=2', 'x', 'y']).end('x'),
  'a reason and raw headers': (_req, res) => void res.writeHead(200, 'Fine', ['x', 'y']).end('x'),
  'setHeader and an implicit head': (_req, res) => void res.setHeader('x', 'y').end('x'),
  'setHeader and an object': (_req, res) =>
    void res.setHeader('x', 'y').writeHead(200, { z: '1' }).end(),
  'setHeader and raw headers': (_req, res) =>
    void res.setHeader('x', 'y').writeHead(200, ['z', '1']).end(),
  'flushHeaders and a stream': (_req, res) => {
    res.flushHeaders()
    res.write('a')
    res.end('b')
  },
  'a status without a body': (_req, res) => void res.writeHead(304).end(),
  'a problem': (_req, res) => sendProblem(res, { status: 503, detail: 'Not now.', retryAfter: 1 }),
}

test.for(Object.entries(listeners))(
  'a response with %s names its instance and its request once',
  async ([, listener]) => {
    await using server = await serve(listener)
    const raw = await talk(
      server.url,
      'GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: request-1\r\nConnection: close\r\n\r\n',
    )
    const head = raw.slice(0, raw.indexOf('\r\n\r\n')).split('\r\n')
    expect(head.filter((line) => /^x-instance-id:/i.test(line))).toEqual(['X-Instance-Id: test-1'])
    expect(head.filter((line) => /^x-request-id:/i.test(line))).toEqual(['X-Request-Id: request-1'])
  },
)

test('all fields of a response arrive, in any form of its head', async () => {
  for (const name of ['a reason and an object', 'raw headers']) {
    await using server = await serve(listeners[name]!)
    const answer = await ask(server.url, { headers })
    expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2'])
    expect(answer.body).toBe('x')
  }
  for (const name of ['setHeader and an object', 'setHeader and raw headers']) {
    await using server = await serve(listeners[name]!)
    expect((await ask(server.url, { headers })).headers).toMatchObject({ x: 'y', z: '1' })
  }
})

const replacing: Record<string, Listener> = {
  'raw headers': (_req, res) => void res.writeHead(200, ['x-Instance-ID', 'a, b']).end(),
  'an object': (_req, res) => void res.writeHead(200, { 'x-instance-id': 'a, b' }).end(),
  setHeader: (_req, res) => void res.setHeader('X-Instance-Id', 'a, b').writeHead(200).end(),
}

test.for(Object.entries(replacing))(
  'an X-Instance-Id in %s replaces the one of the server',
  async ([, listener]) => {
    await using server = await serve(listener)
    const answer = await ask(server.url, { headers })
    expect(answer.headers).toMatchObject({ 'x-instance-id': 'a, b', 'x-request-id': 'request-1' })
  },
)

test('the headers that an app reuses for several responses stay as they are', async () => {
  const raw = ['a', '1']
  const object = { a: '1' }
  let calls = 0
  await using server = await serve((_req, res) => {
    calls += 1
    res.writeHead(200, calls % 2 === 0 ? raw : object).end()
  })
  for (let i = 0; i < 4; i += 1) await ask(server.url, { headers })
  expect({ raw, object }).toEqual({ raw: ['a', '1'], object: { a: '1' } })
})

test('a head that node:http refuses is followed by a problem with both fields', async () => {
  await using server = await serve((_req, res) => res.writeHead(200, { 'bad name': 'x' }).end())
  const answer = await ask(server.url, { headers })
  expect(answer).toMatchObject({
    status: 500,
    headers: { 'x-instance-id': 'test-1', 'x-request-id': 'request-1' },
  })
  expect(answer.headers).not.toHaveProperty('bad name')
})

test('the responses of a Hono app have both fields, with and without a body or an error', async () => {
  const log = createLog({ app: 'test', instance: 'test-1', version: '', level: 'silent' })
  const app = createHono({ log })
  app.get('/text', (c) => c.text('x'))
  app.get('/none', (c) => c.body(null, 204))
  app.get('/cookies', (c) => {
    c.header('set-cookie', 'a=1', { append: true })
    c.header('set-cookie', 'b=2', { append: true })
    return c.json({})
  })
  app.get('/problem', () => {
    throw new ProblemError({ status: 418, detail: 'Short and stout.' })
  })
  await using server = await serve(listenerOf(app))
  for (const path of ['/text', '/none', '/cookies', '/problem', '/missing']) {
    const answer = await ask(server.url + path, { headers })
    expect(answer.headers, path).toMatchObject({
      'x-instance-id': 'test-1',
      'x-request-id': 'request-1',
    })
  }
  const { headers: received } = await ask(`${server.url}/cookies`, { headers })
  expect(received['set-cookie']).toEqual(['a=1', 'b=2'])
})

test('an informational response is sent before the head, without the fields of the head', async () => {
  await using server = await serve((_req, res) => {
    res.writeEarlyHints({ link: '</a.css>; rel=preload' })
    res.end('x')
  })
  const raw = await talk(server.url, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  expect(raw).toMatch(/^HTTP\/1.1 103 Early Hints\r\nLink: [^\r]+\r\n\r\nHTTP\/1.1 200 OK\r\n/i)
})
