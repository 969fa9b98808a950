import { createHistogram, createMetrics } from '@repo/observability'
import { expect, test, until } from '@repo/testing'
import { createOnce, fingerprintOf, idempotencyFigures } from './index.ts'
import { failUndecided, faultyStore } from './memory/faulty-store.fixture.ts'
import { memoryStore } from './memory/memory-store.ts'

const done = { status: 201, headers: [], body: Buffer.from('done') }
const fingerprint = fingerprintOf({ method: 'POST', target: '/', body: Buffer.from('{}') })
const request = { scope: 'ada', key: 'k-1', fingerprint }

test('a scrape has each request once by its outcome, and the calls of the store', async () => {
  const { store, faults } = faultyStore()
  const once = createOnce({ store, maxResponseBytes: 10, leaseMs: 1_000 })
  const metrics = createMetrics({ app: 'a', instance: 'i' })
  metrics.observe(idempotencyFigures(once, createHistogram))
  const run = (key: string, response = done) => once.run({ ...request, key }, async () => response)

  await run('k-1')
  await run('k-1')
  await once.run({ ...request, fingerprint: fingerprint.toUpperCase() }, async () => done)
  await run('busy', { ...done, status: 503 })
  await run('large', { ...done, body: Buffer.alloc(11) })
  const held = Promise.withResolvers<typeof done>()
  const first = once.run({ ...request, key: 'held' }, () => held.promise)
  await until(() => once.stats().inFlight === 1)
  await run('held')
  faults.begin = failUndecided
  await run('down').catch(() => undefined)

  const text = await metrics.registry.metrics()
  const values = Object.fromEntries(
    [...text.matchAll(/^threefold_idempotency_(\S+?)\{(.*?),?app=.*\} (\d+)$/gm)]
      .filter(([, , , value]) => value !== '0')
      .map(([, name, labels, value]) => [`${name} ${labels}`.trim(), Number(value)]),
  )
  expect(values).toMatchObject({
    'requests_total outcome="fresh"': 3,
    'requests_total outcome="replayed"': 1,
    'requests_total outcome="mismatch"': 1,
    'requests_total outcome="conflict"': 1,
    'requests_total outcome="unavailable"': 1,
    'store_errors_total call="begin"': 1,
    released_total: 1,
    oversize_total: 1,
    in_flight: 1,
  })
  // Seven claims and two completions.
  expect(text).toMatch(/store_seconds_count\{.*\} 9\n/)
  held.resolve(done)
  await first
  await once.close()
})

test('a defect of the caller is not counted as an unavailable store, and a request after the end is', async () => {
  const once = createOnce({ store: memoryStore() })
  const badArgument = { code: 'bad-argument' }
  await expect(once.begin({ ...request, key: '' })).rejects.toMatchObject(badArgument)
  const step = once.run(request, async (attempt) => {
    await attempt.step('charge', async () => 1n)
    return done
  })
  await expect(step).rejects.toMatchObject(badArgument)
  expect(once.stats().requests).toMatchObject({ fresh: 1, unavailable: 0 })
  await once.close()
  await expect(once.begin(request)).rejects.toMatchObject({ code: 'closed' })
  expect(once.stats().requests).toMatchObject({ fresh: 1, unavailable: 1 })
})
