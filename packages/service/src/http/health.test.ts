import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { blockEventLoop, expect, test } from '@repo/testing'
import { CheckError, createSharedChecks, readHealth } from './health.ts'

const instance = {
  phase: 'ready' as const,
  instance: 'test-1',
  version: '1',
  drift: [],
} satisfies Partial<Parameters<typeof readHealth>[0]>

/** A store that answers after 20 ms, whether or not this thread runs. */
async function queryStore(): Promise<void> {
  await once(new Worker('setTimeout(() => undefined, 20)', { eval: true }), 'exit')
}

test('a store that answered while this instance was paused for longer than the deadline is healthy', async () => {
  const health = readHealth({ ...instance, checks: { store: queryStore } })
  blockEventLoop(1_500)
  expect(await health).toMatchObject({ status: 'healthy', services: { store: 'healthy' } })
})

test('a check that does not settle is unhealthy, with the reason', async () => {
  const checks = { store: () => new Promise<void>(() => undefined), other: async () => undefined }
  expect(await readHealth({ ...instance, checks })).toMatchObject({
    status: 'degraded',
    services: { store: 'unhealthy', other: 'healthy' },
    problems: ['store: no result within 1000 ms'],
  })
})

test('requests of one second share one run of each check, and the next second shows a change', async () => {
  let nowMs = 0
  let runs = 0
  let fault: Error | undefined
  const share = createSharedChecks(() => nowMs)
  async function store() {
    runs += 1
    if (fault) throw fault
  }
  const read = () => readHealth({ ...instance, checks: share({ store }) })
  const first = await Promise.all(Array.from({ length: 50 }, read))
  expect(new Set(first.map(({ status }) => status))).toEqual(new Set(['healthy']))
  nowMs = 999
  fault = new CheckError('the store is lost')
  expect(await read()).toMatchObject({ status: 'healthy' })
  expect(runs).toBe(1)
  nowMs = 1_000
  const failing = await Promise.all(Array.from({ length: 50 }, read))
  expect(failing[49]).toMatchObject({ status: 'degraded', problems: ['store: the store is lost'] })
  expect(runs).toBe(2)
  expect(
    await readHealth({ ...instance, phase: 'draining', checks: share({ store }) }),
  ).toMatchObject({ status: 'unhealthy' })
  // A start that is done brings other checks, which run at once.
  const checks = share({ store, other: async () => undefined })
  expect((await readHealth({ ...instance, checks })).services).toMatchObject({ other: 'healthy' })
})

test('a check that never settles is run again in the next second', async () => {
  let nowMs = 0
  const results = [new Promise<void>(() => undefined), Promise.resolve()]
  const share = createSharedChecks(() => nowMs)
  const checks = share({ store: () => results.shift() ?? Promise.resolve() })
  expect(await readHealth({ ...instance, checks })).toMatchObject({ status: 'degraded' })
  nowMs = 1_000
  expect(await readHealth({ ...instance, checks })).toMatchObject({ status: 'healthy' })
})
