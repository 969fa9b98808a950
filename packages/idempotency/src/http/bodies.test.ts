import { expect, test } from '@repo/testing'
import { Hono } from 'hono'
import { createOnce } from '../index.ts'
import { memoryStore } from '../memory/memory-store.ts'
import { idempotency } from './hono.ts'

test.for([
  { kind: 'UTF-8', bytes: [0x7b, 0xc3, 0xa4, 0x7d], type: 'text/plain' },
  { kind: 'UTF-8 after a byte order mark', bytes: [0xef, 0xbb, 0xbf, 0x31], type: 'text/plain' },
  { kind: 'no UTF-8', bytes: [0xff, 0xc3, 0x28, 0], type: 'application/json' },
  { kind: 'text without a content type', bytes: [0x31], type: undefined },
])('a response whose body is $kind is sent and repeated byte by byte', async ({ bytes, type }) => {
  const once = createOnce({ store: memoryStore() })
  const app = new Hono()
  app.post('/orders', idempotency({ once, scope: () => 'ada' }), () => {
    const headers = type === undefined ? [] : [['content-type', type] satisfies [string, string]]
    return new Response(Uint8Array.from(bytes), { headers })
  })
  const init = { method: 'POST', body: '1', headers: { 'Idempotency-Key': 'k-1' } }
  for (const status of ['fresh', 'replayed']) {
    const response = await app.request('/orders', init)
    expect(response.headers.get('idempotency-status')).toBe(status)
    expect(response.headers.get('content-type') ?? undefined).toBe(type)
    expect([...(await response.bytes())]).toEqual(bytes)
  }
  await once.close()
})
