import { createLog } from '@repo/observability'
import { RedisError } from '@repo/redis'
import { expect, test } from '@repo/testing'
import { HTTPException } from 'hono/http-exception'
import { z } from 'zod'
import { ask, type Ask, serve, talk } from '../http.fixture.ts'
import { createHono, listenerOf, ProblemError, readJson } from './hono.ts'

const order = z.strictObject({
  amount: z.int().min(1),
  lines: z.array(z.strictObject({ name: z.string() })).optional(),
})

const json = { 'content-type': 'application/json' }

class StoreAway extends Error {}

const isUnavailable = (error: unknown) => error instanceof StoreAway

async function serveApp() {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const log = createLog({ app: 'test', instance: 'test-1', version: '', destination })
  const app = createHono({ log, isUnavailable, maxBodyBytes: 1_000 })
  app.post('/order', async (c) => c.json(await readJson(c, order)))
  app.delete('/order', (c) => c.json({ gone: true }))
  app.get('/broken', () => {
    throw new Error('hunter2 at /srv/secret.ts')
  })
  app.get('/redis', () => {
    throw new RedisError('timeout', 'hunter2')
  })
  app.get('/store', () => {
    throw new StoreAway('params: hunter2', { cause: new Error('connection refused') })
  })
  app.get('/teapot', () => {
    throw new ProblemError({ status: 418, code: 'teapot', detail: 'Short and stout.' })
  })
  app.get('/hono', () => {
    throw new HTTPException(409, { message: 'Not now.' })
  })
  const server = await serve(listenerOf(app))
  async function problemOf(path: string, options?: Ask) {
    const { status, headers, body } = await ask(server.url + path, options)
    expect(headers['content-type']).toBe('application/problem+json')
    expect(headers['cache-control']).toBe('no-store')
    const problem: Record<string, unknown> = JSON.parse(body)
    expect(problem).toMatchObject({
      type: expect.any(String),
      title: expect.any(String),
      status,
      detail: expect.any(String),
      instance: `urn:request:${headers['x-request-id']?.toString()}`,
    })
    expect(body).not.toMatch(/hunter2|node_modules|\.ts\b/)
    return { ...problem, retryAfter: headers['retry-after'] }
  }
  const post = (body: unknown) =>
    problemOf('/order', {
      method: 'POST',
      headers: json,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  return { server, lines, problemOf, post, [Symbol.asyncDispose]: server[Symbol.asyncDispose] }
}

test('an unknown route responds with a problem', async () => {
  await using app = await serveApp()
  expect(await app.problemOf('/nowhere')).toMatchObject({
    type: 'urn:threefold:problem:not-found',
    title: 'Not Found',
    status: 404,
  })
})

test('a problem that a route throws is its response', async () => {
  await using app = await serveApp()
  expect(await app.problemOf('/teapot')).toMatchObject({
    type: 'urn:threefold:problem:teapot',
    status: 418,
    detail: 'Short and stout.',
  })
  expect(await app.problemOf('/hono')).toMatchObject({ status: 409, detail: 'Not now.' })
})

test('an error is a 500 without its message, and its message and stack are logged', async () => {
  await using app = await serveApp()
  expect(await app.problemOf('/broken')).toMatchObject({ status: 500 })
  expect(app.lines.join('')).toContain('hono.test.ts')
})

test.for(['/redis', '/store'])(
  'an unavailable store (%s) is a 503 with Retry-After',
  async (path) => {
    await using app = await serveApp()
    expect(await app.problemOf(path)).toMatchObject({
      type: 'urn:threefold:problem:unavailable',
      status: 503,
      retryAfter: '1',
    })
  },
)

test('an unavailable store is logged with the innermost reason', async () => {
  await using app = await serveApp()
  await app.problemOf('/store')
  expect(app.lines.join('')).toContain('connection refused')
  expect(app.lines.join('')).not.toContain('hunter2')
})

test('a valid body is read', async () => {
  await using app = await serveApp()
  const sent = { method: 'POST', headers: json, body: '{"amount":3}' }
  const answer = await ask(`${app.server.url}/order`, sent)
  expect(answer).toMatchObject({ status: 200, body: '{"amount":3}' })
})

test.for([
  'application/json',
  'application/json;charset=utf-8',
  'Application/JSON ; charset=UTF-8',
  'application/merge-patch+json',
  'application/vnd.threefold.order+json; v=1',
])('a body declared as %s is read', async (type) => {
  await using app = await serveApp()
  const sent = { method: 'POST', headers: { 'content-type': type }, body: '{"amount":3}' }
  expect(await ask(`${app.server.url}/order`, sent)).toMatchObject({ status: 200 })
})

// A page of another site can send the first three without a preflight request.
test.for([
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/plain; application/json',
  'text/plain, application/json',
  'application/json, text/plain',
  'text/plain;x="application/json"',
  'application/jsonp',
  'application/json+x',
  'application/x-json',
  'text/json',
  'json',
  '*/*',
  undefined,
])('declared as %s is a 415, although it is JSON', async (type) => {
  await using app = await serveApp()
  const sent = { method: 'POST', ...(type && { headers: { 'content-type': type } }) }
  for (const chunked of [{}, { 'transfer-encoding': 'chunked' }]) {
    const headers = { ...sent.headers, ...chunked }
    const refused = await app.problemOf('/order', { ...sent, headers, body: '{"amount":3}' })
    expect(refused).toMatchObject({
      type: 'urn:threefold:problem:unsupported-media-type',
      status: 415,
    })
  }
})

test('a body with two types is read only if both are JSON', async () => {
  await using app = await serveApp()
  const said = await talk(
    app.server.url,
    'POST /order HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Type: application/json\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{"amount":3}',
  )
  expect(said).toMatch(/^HTTP\/1.1 415 /)
})

test('an empty body needs no type', async () => {
  await using app = await serveApp()
  expect(await app.problemOf('/order', { method: 'POST' })).toMatchObject({ status: 400 })
})

test.for(['', '{', 'amount=3', '{"amount":3'])(
  'a body that is no JSON (%s) is a 400',
  async (body) => {
    await using app = await serveApp()
    expect(await app.post(body)).toMatchObject({
      type: 'urn:threefold:problem:malformed-json',
      status: 400,
    })
  },
)

test('an invalid body is a 422 that names each faulty field', async () => {
  await using app = await serveApp()
  const fields = async (body: unknown) => {
    const problem = await app.post(body)
    expect(problem).toMatchObject({ type: 'urn:threefold:problem:invalid-body', status: 422 })
    return 'errors' in problem ? problem.errors : []
  }
  expect(await fields({})).toEqual([{ field: 'amount', message: 'is required' }])
  expect(await fields({ amount: 0 })).toMatchObject([{ field: 'amount' }])
  expect(await fields({ amount: 1, admin: true, role: 'x' })).toEqual([
    { field: 'admin', message: 'is not a field of the schema' },
    { field: 'role', message: 'is not a field of the schema' },
  ])
  expect(await fields({ amount: 1, lines: [{ name: 'a' }, { nmae: 'b' }] })).toEqual([
    { field: 'lines.1.name', message: 'is required' },
    { field: 'lines.1.nmae', message: 'is not a field of the schema' },
  ])
  for (const body of ['[]', 'null', '3', '"x"']) {
    expect(await fields(body)).toMatchObject([{ field: 'body' }])
  }
})

test('the problem of a body with many unknown fields names 20 of them', async () => {
  await using app = await serveApp()
  const many = Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`f${index}`, 1]))
  const problem = await app.post({ amount: 1, ...many })
  expect('errors' in problem && problem.errors).toHaveLength(20)
})

test('a body over the limit is a 413 by its Content-Length, before the body is sent', async () => {
  await using app = await serveApp()
  const said = await talk(
    app.server.url,
    'POST /order HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\nConnection: close\r\n\r\n',
  )
  expect(said).toMatch(/^HTTP\/1.1 413 /)
  expect(said).toContain('body-too-large')
})

test('a chunked body over the limit is a 413, and one at the limit is read', async () => {
  await using app = await serveApp()
  const headers = { ...json, 'transfer-encoding': 'chunked' }
  const chunked = (body: string) => ({ method: 'POST', headers, body })
  expect(await app.problemOf('/order', chunked('x'.repeat(1_001)))).toMatchObject({ status: 413 })
  const padded = '{"amount":3}'.padEnd(1_000)
  const answer = await ask(`${app.server.url}/order`, chunked(padded))
  expect(answer).toMatchObject({ status: 200 })
})

test('a DELETE without a body is served', async () => {
  await using app = await serveApp()
  const answer = await ask(`${app.server.url}/order`, { method: 'DELETE' })
  expect(answer).toMatchObject({ status: 200, body: '{"gone":true}' })
})
