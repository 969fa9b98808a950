import { expect, test } from '@repo/testing'
import { Hono } from 'hono'
import { createOnce } from '../index.ts'
import { memoryStore } from '../memory/memory-store.ts'
import { createTestApp, describe, type TestRequest } from './app.fixture.ts'
import { idempotency } from './hono.ts'

const created = () => new Response('created', { status: 201 })

test.each([
  ['another body', { body: '{"a":1}' }],
  ['another path', { path: '/payments' }],
  ['another query', { path: '/orders?dry=1' }],
  ['another method', { method: 'PATCH' }],
])('a key with %s is refused with 422, and the handler does not run', async (_, change) => {
  await using shop = createTestApp(created)
  expect(describe(await shop.send())).toBe('201 fresh')
  const response = await shop.send(change)
  expect(response.status).toBe(422)
  expect(await response.json()).toMatchObject({
    type: 'urn:threefold:problem:idempotency-key-reused',
    title: 'Unprocessable Entity',
    status: 422,
  })
  expect(shop.runs()).toBe(1)
})

test('the same key and body of another user run, and neither user receives the response of the other', async () => {
  await using shop = createTestApp((c) => c.text(`for ${c.req.header('x-user')}`))
  const first = await shop.send({ user: 'ada' })
  const second = await shop.send({ user: 'grace' })
  expect(await first.text()).toBe('for ada')
  expect(await second.text()).toBe('for grace')
  expect(describe(second)).toBe('200 fresh')
  expect(shop.runs()).toBe(2)
})

test('an equal body with another key runs', async () => {
  await using shop = createTestApp(created)
  await shop.send({ key: 'january' })
  expect(describe(await shop.send({ key: 'february' }))).toBe('201 fresh')
  expect(shop.runs()).toBe(2)
})

test('a bare key and the same key as a structured string are one key', async () => {
  await using shop = createTestApp(created)
  await shop.send({ key: '8e03978e-40d5' })
  expect(describe(await shop.send({ key: '"8e03978e-40d5"' }))).toBe('201 replayed')
})

test('bodies that differ in the order of their keys are two requests by bytes, and one as JSON', async () => {
  const [first, second] = ['{"a":1,"b":[2,{"c":3,"d":4}]}', '{ "b": [2, {"d":4,"c":3}], "a": 1 }']
  await using bytes = createTestApp(created)
  await bytes.send({ body: first })
  expect((await bytes.send({ body: second })).status).toBe(422)
  await using json = createTestApp(created, { fingerprint: 'json' })
  await json.send({ body: first })
  expect(describe(await json.send({ body: second }))).toBe('201 replayed')
  expect((await json.send({ body: '{"a":1,"b":[{"c":3,"d":4},2]}' })).status).toBe(422)
})

test('a number beyond the range of JSON is another request than null', async () => {
  await using json = createTestApp(created, { fingerprint: 'json' })
  await json.send({ body: '{"amount":1e400}' })
  expect((await json.send({ body: '{"amount":null}' })).status).toBe(422)
  expect(describe(await json.send({ body: '{"amount":1E400}' }))).toBe('201 replayed')
})

test('a body that is no JSON, or is nested too deeply, is compared by its bytes', async () => {
  const deep = '['.repeat(200_000) + ']'.repeat(200_000)
  await using json = createTestApp(created, { fingerprint: 'json' })
  for (const [key, body] of [
    ['text', 'not json'],
    ['deep', deep],
  ] as const) {
    expect(describe(await json.send({ key, body }))).toBe('201 fresh')
    expect(describe(await json.send({ key, body }))).toBe('201 replayed')
    expect((await json.send({ key, body: `${body} ` })).status).toBe(422)
  }
})

test.each([
  ['an empty key', '', 'must not be empty'],
  ['an empty structured key', '""', 'must not be empty'],
  ['a key with a space', 'a b', 'must have no spaces'],
  ['a structured key with a space', '"a b"', 'must have no spaces'],
  ['a key of 256 characters', 'k'.repeat(256), 'must have at most 255 characters'],
  ['a structured key of 256 characters', `"${'k'.repeat(256)}"`, 'must have at most 255'],
  ['two joined headers', 'a, b', 'must be sent once'],
  ['two joined structured headers', '"a", "b"', 'must be sent once'],
  ['a key with a comma', 'a,b', 'must have no comma'],
  ['a key with a character that is not ASCII', 'é', 'must have only visible ASCII characters'],
  ['an unfinished structured key', '"a', 'must end with the quote'],
])('%s is refused with 400, and the rule is named', async (_, key, rule) => {
  await using shop = createTestApp(created)
  const response = await shop.send({ key })
  expect(response.status).toBe(400)
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect(await response.json()).toMatchObject({
    type: 'urn:threefold:problem:idempotency-key-malformed',
    detail: expect.stringContaining(rule),
  })
  expect(shop.runs()).toBe(0)
})

test('a key of 255 visible characters is accepted', async () => {
  await using shop = createTestApp(created)
  expect(describe(await shop.send({ key: '~!'.repeat(127) + 'k' }))).toBe('201 fresh')
})

test('a request without a key is refused with 400 where it is required', async () => {
  await using shop = createTestApp(created)
  const response = await shop.app.request('/orders', {
    method: 'POST',
    headers: { 'x-user': 'ada' },
  })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({
    type: 'urn:threefold:problem:idempotency-key-missing',
  })
  expect(shop.runs()).toBe(0)
})

test('a request without a key runs without an attempt where it is optional', async () => {
  const once = createOnce({ store: memoryStore() })
  const app = new Hono()
  app.post('/', idempotency({ once, scope: () => 'ada', required: false }), (c) =>
    c.text(c.var.attempt ? 'with a key' : 'without a key'),
  )
  for (let i = 0; i < 2; i += 1) {
    const response = await app.request('/', { method: 'POST' })
    expect(await response.text()).toBe('without a key')
    expect(describe(response)).toBe('200')
  }
  const keyed = { method: 'POST', headers: { 'idempotency-key': 'k' } }
  expect(await (await app.request('/', keyed)).text()).toBe('with a key')
  await once.close()
})

test.each([undefined, ''])(
  'a request whose scope is %o is answered with 500, and never runs or shares a record',
  async (scope) => {
    await using shop = createTestApp(created, { scope: () => scope })
    const errors: unknown[] = []
    shop.app.onError((error, c) => {
      errors.push(error)
      return c.text('', 500)
    })
    expect((await shop.send()).status).toBe(500)
    expect(errors).toEqual([expect.objectContaining({ code: 'no-scope' })])
    expect(shop.runs()).toBe(0)
    expect(shop.once.stats().requests).toMatchObject({ fresh: 0 })
  },
)

test('a body over the limit is refused with 413 before its key is claimed, with a length and without', async () => {
  await using shop = createTestApp(created, { maxBodyBytes: 8 })
  const chunked: TestRequest = { body: new Blob(['123456789']).stream(), duplex: 'half' }
  const declared: TestRequest = { body: '123456789', headers: { 'content-length': '9' } }
  for (const init of [chunked, declared]) {
    const response = await shop.send(init)
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({ type: 'urn:threefold:problem:body-too-large' })
  }
  expect(shop.runs()).toBe(0)
  // The key is still free for another request.
  expect(describe(await shop.send({ body: '12345678' }))).toBe('201 fresh')
})

test('the handler reads a binary body byte by byte, in each way', async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => 255 - i)
  const seen: Uint8Array[] = []
  await using shop = createTestApp(async (c) => {
    seen.push(new Uint8Array(await c.req.arrayBuffer()))
    seen.push(await (await c.req.blob()).bytes())
    expect(await c.req.text()).toBe(new TextDecoder().decode(bytes))
    return c.body(null, 204)
  })
  for (const type of ['application/octet-stream', 'application/json']) {
    const response = await shop.send({ key: type, body: bytes, headers: { 'content-type': type } })
    expect(describe(response)).toBe('204 fresh')
  }
  expect(seen).toEqual([bytes, bytes, bytes, bytes])
})

test('the handler reads a form and JSON as without the middleware', async () => {
  await using shop = createTestApp(async (c) => {
    const type = c.req.header('content-type') ?? ''
    return c.json(type.includes('json') ? await c.req.json() : await c.req.parseBody())
  })
  const form = new FormData()
  form.set('a', '1')
  const formed = await shop.send({ key: 'form', body: form })
  expect(await formed.json()).toEqual({ a: '1' })
  const headers = { 'content-type': 'application/json; charset=utf-8' }
  const text = `\ufeff{"a":"é"}`
  const parsed = await shop.send({ key: 'json', body: text, headers })
  expect(await parsed.json()).toEqual({ a: 'é' })
})
