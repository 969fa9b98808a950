import { createServer } from 'node:http'
import { listenerOf } from '@repo/service/hono'
import { expect, freePort, test, until } from '@repo/testing'
import { createOnce, fingerprintOf, IdempotencyError } from '../index.ts'
import { failUndecided, faultyStore } from '../memory/faulty-store.fixture.ts'
import { memoryStore } from '../memory/memory-store.ts'
import { createTestApp, describe } from './app.fixture.ts'

test('a duplicate in flight receives 409 with the rest of the lease, and another body 422', async () => {
  const held = Promise.withResolvers<Response>()
  await using shop = createTestApp(() => held.promise, { leaseMs: 7_000 })
  const first = shop.send()
  await until(() => shop.runs() === 1)
  const conflict = await shop.send()
  expect(conflict.status).toBe(409)
  const retryAfter = Number(conflict.headers.get('retry-after'))
  expect(retryAfter).toBeGreaterThanOrEqual(1)
  expect(retryAfter).toBeLessThanOrEqual(7)
  expect(await conflict.json()).toMatchObject({
    type: 'urn:threefold:problem:idempotency-in-flight',
  })
  expect((await shop.send({ body: '{"a":1}' })).status).toBe(422)
  held.resolve(new Response('done', { status: 201 }))
  expect(describe(await first)).toBe('201 fresh')
  expect(describe(await shop.send())).toBe('201 replayed')
  expect(shop.runs()).toBe(1)
})

test('a duplicate in flight that waits receives the response of the first one', async () => {
  const held = Promise.withResolvers<Response>()
  await using shop = createTestApp(() => held.promise, { inFlight: { waitMs: 60_000 } })
  const responses = [shop.send(), shop.send(), shop.send()]
  await until(() => shop.runs() === 1)
  held.resolve(new Response('done', { status: 201 }))
  const outcomes = (await Promise.all(responses)).map(describe)
  expect(outcomes.toSorted()).toEqual(['201 fresh', '201 waited', '201 waited'])
})

test('a store that does not decide about a claim means 503 with Retry-After, and nothing runs', async () => {
  const { store, faults } = faultyStore()
  await using shop = createTestApp((c) => c.text('ran'), { store })
  faults.begin = failUndecided
  const response = await shop.send()
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toBe('1')
  expect(await response.json()).toMatchObject({
    type: 'urn:threefold:problem:idempotency-unavailable',
  })
  expect(shop.runs()).toBe(0)
  delete faults.begin
  expect(describe(await shop.send())).toBe('200 fresh')
})

test('a claim that the store made although its call failed is released, so that a retry runs', async () => {
  const { store, inner, faults } = faultyStore()
  await using shop = createTestApp((c) => c.text('ran'), { store })
  faults.begin = async (claim, leaseMs) => {
    await inner.begin(claim, leaseMs)
    return failUndecided()
  }
  expect((await shop.send()).status).toBe(503)
  delete faults.begin
  let response: Response | undefined
  await until(async () => {
    response = await shop.send()
    return response.status !== 409
  })
  expect(response && describe(response)).toBe('200 fresh')
})

test('I8: if a completion fails, the response of the work is sent, and a retry replays it when the store is back', async () => {
  const { store, faults } = faultyStore()
  await using shop = createTestApp((c) => c.text('paid', 201), { store, leaseMs: 60_000 })
  faults.complete = failUndecided
  const first = await shop.send()
  expect([describe(first), await first.text()]).toEqual(['201 fresh', 'paid'])
  expect(shop.once.stats()).toMatchObject({ uncompleted: 1 })
  // The claim is still held, so that no retry runs in the meantime.
  expect((await shop.send()).status).toBe(409)
  delete faults.complete
  await until(() => shop.once.stats().uncompleted === 0)
  const retry = await shop.send()
  expect([describe(retry), await retry.text()]).toEqual(['201 replayed', 'paid'])
  expect(shop.runs()).toBe(1)
})

test('a record of another release, or one that is damaged, means 503: it is neither run nor replayed', async () => {
  const { store, faults } = faultyStore()
  await using shop = createTestApp((c) => c.text('ran'), { store })
  const records = { 'unknown-format': [9, 0, 0], unreadable: [1, 0, 0, 200, 0, 0, 1, 0, 1] }
  for (const bytes of Object.values(records)) {
    faults.begin = async () => ({ outcome: 'completed', record: Buffer.from(bytes) })
    const response = await shop.send()
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('1')
  }
  expect(shop.runs()).toBe(0)
})

test('an attempt whose claim was taken over answers with the response of the winner', async () => {
  const { store, faults } = faultyStore()
  const [early, late] = [createOnce({ store, leaseMs: 100 }), createOnce({ store })]
  const held = Promise.withResolvers<Response>()
  faults.renew = async () => []
  await using zombie = createTestApp(() => held.promise, { once: early })
  await using winner = createTestApp((c) => c.text('winner'), { once: late })
  const first = zombie.send()
  await until(async () => (await winner.send()).status === 200)
  delete faults.renew
  held.resolve(new Response('zombie'))
  const response = await first
  expect([describe(response), await response.text()]).toEqual(['200 replayed', 'winner'])
  expect(early.stats()).toMatchObject({ fenced: 1, requests: { fresh: 0, replayed: 1 } })
  expect(late.stats()).toMatchObject({ takeovers: 1, requests: { fresh: 1 } })
})

test('an attempt that was taken over by one in progress answers with 409', async () => {
  const { store, faults } = faultyStore()
  const [early, late] = [createOnce({ store, leaseMs: 100 }), createOnce({ store })]
  faults.renew = async () => []
  const held = Promise.withResolvers<Response>()
  await using zombie = createTestApp(() => held.promise, { once: early })
  const first = zombie.send()
  await until(() => zombie.runs() === 1)
  const request = {
    scope: 'ada',
    key: 'k-1',
    fingerprint: fingerprintOf({ method: 'POST', target: '/orders', body: Buffer.from('{}') }),
  }
  let started = await late.begin(request)
  await until(async () => {
    if (started.outcome !== 'claimed') started = await late.begin(request)
    return started.outcome === 'claimed'
  })
  held.resolve(new Response('zombie'))
  const response = await first
  expect([response.status, response.headers.get('retry-after')]).toEqual([409, '1'])
  if (started.outcome === 'claimed') await started.attempt.release()
  await late.close()
})

test.each([
  ['lost', 409],
  ['unavailable', 503],
] as const)('an error %s of the store in a step is answered with %i', async (code, status) => {
  const store = memoryStore()
  store.writeStep = async () => {
    throw new IdempotencyError(code, 'the step is not stored')
  }
  await using shop = createTestApp(
    async (c) => c.json(await c.var.attempt.step('charge', async () => 1)),
    { store },
  )
  shop.app.onError((_, c) => c.text('failed', 500))
  const response = await shop.send()
  expect([response.status, response.headers.get('retry-after')]).toEqual([status, '1'])
  expect(shop.once.stats().requests).toMatchObject({ fresh: 0 })
})

test('a client that disconnects does not end the work, and its retry receives the response', async () => {
  const held = Promise.withResolvers<undefined>()
  await using shop = createTestApp(async (c) => {
    await held.promise
    return c.text('paid', 201)
  })
  const server = createServer(listenerOf(shop.app))
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${port}/orders`
  const init = { method: 'POST', body: '{}', headers: { 'idempotency-key': 'k', 'x-user': 'ada' } }
  const client = new AbortController()
  const aborted = fetch(url, { ...init, signal: client.signal }).catch((error: unknown) => error)
  await until(() => shop.runs() === 1)
  client.abort()
  expect(await aborted).toMatchObject({ name: 'AbortError' })
  held.resolve(undefined)
  await until(() => shop.once.stats().inFlight === 0)
  const retry = await fetch(url, init)
  expect([describe(retry), await retry.text()]).toEqual(['201 replayed', 'paid'])
  expect(shop.runs()).toBe(1)
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

test('after its end a Once answers with 503, and nothing runs', async () => {
  const shop = createTestApp((c) => c.text('ran'))
  await shop.once.close()
  expect((await shop.send()).status).toBe(503)
  expect(shop.runs()).toBe(0)
})
