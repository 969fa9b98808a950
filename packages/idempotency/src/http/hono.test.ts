import { expect, test } from '@repo/testing'
import { Hono } from 'hono'
import { createOnce } from '../index.ts'
import { memoryStore } from '../memory/memory-store.ts'
import { idempotency } from './hono.ts'

test('a repetition over HTTP receives the same status, bytes and safe headers, without cookies', async () => {
  const once = createOnce({ store: memoryStore() })
  const app = new Hono()
  let runs = 0
  app.post('/orders', idempotency({ once, scope: () => 'ada' }), async (c) => {
    runs += 1
    c.header('Location', '/orders/1')
    c.header('Set-Cookie', 'a=1')
    return c.json({ id: c.var.attempt.downstreamKey('id'), body: await c.req.json() }, 201)
  })
  const init = { method: 'POST', body: '{"a":1}', headers: { 'Idempotency-Key': '"k-1"' } }
  const first = await app.request('/orders', init)
  const second = await app.request('/orders', { ...init, headers: { 'Idempotency-Key': 'k-1' } })
  expect(first.status).toBe(201)
  expect(first.headers.get('idempotency-status')).toBe('fresh')
  expect(first.headers.get('set-cookie')).toBe('a=1')
  expect(second.status).toBe(201)
  expect(second.headers.get('idempotency-status')).toBe('replayed')
  expect(second.headers.get('idempotency-replayed')).toBe('true')
  expect(second.headers.get('location')).toBe('/orders/1')
  expect(second.headers.get('set-cookie')).toBeNull()
  expect(await second.text()).toBe(await first.text())
  expect(runs).toBe(1)
  await once.close()
})
