import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { blockEventLoop, expect, test } from '@repo/testing'
import { readHealth } from './health.ts'

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
