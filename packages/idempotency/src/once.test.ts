import { expect, test, until } from '@repo/testing'
import { createOnce, fingerprintOf } from './index.ts'
import { memoryStore } from './memory/memory-store.ts'

const created = {
  status: 201,
  headers: ['Content-Type', 'application/json', 'Set-Cookie', 'a=1'],
  body: Buffer.from([0, 255, 10]),
}
const fingerprint = fingerprintOf({ method: 'POST', target: '/orders', body: Buffer.from('{}') })
const request = { scope: 'ada', key: 'k-1', fingerprint }

test('a request with a key runs once, and its repetition receives the stored response', async () => {
  const once = createOnce({ store: memoryStore() })
  let runs = 0
  const run = () =>
    once.run(request, async () => {
      runs += 1
      return created
    })
  expect(await run()).toEqual({ outcome: 'fresh', response: created })
  const headers = ['content-type', 'application/json']
  expect(await run()).toEqual({ outcome: 'replayed', response: { ...created, headers } })
  expect(runs).toBe(1)
  await once.close()
})

test('a request whose first attempt runs is a conflict, and with another body a mismatch', async () => {
  const once = createOnce({ store: memoryStore() })
  const held = Promise.withResolvers<typeof created>()
  const first = once.run(request, () => held.promise)
  expect(await once.begin(request)).toMatchObject({ outcome: 'conflict' })
  const other = { ...request, fingerprint: fingerprint.toLowerCase() }
  expect(await once.begin(other)).toEqual({ outcome: 'mismatch' })
  held.resolve(created)
  expect(await first).toMatchObject({ outcome: 'fresh' })
  await once.close()
})

test('a request that still waits when its Once is closed does not run later', async () => {
  const store = memoryStore()
  const holder = createOnce({ store })
  const held = await holder.begin(request)
  const once = createOnce({ store, inFlight: { waitMs: 60_000 } })
  let runs = 0
  const waiting = once.run(request, async () => {
    runs += 1
    return created
  })
  const outcome = waiting.then(
    () => 'ran',
    (error: unknown) => error,
  )
  await once.close()
  if (held.outcome === 'claimed') await held.attempt.release()
  expect(await outcome).toMatchObject({ code: 'closed' })
  expect(runs).toBe(0)
  // The claim of its last poll is free again.
  await until(async () => {
    const started = await holder.begin(request)
    if (started.outcome === 'claimed') await started.attempt.release()
    return started.outcome === 'claimed'
  })
  await holder.close()
})
