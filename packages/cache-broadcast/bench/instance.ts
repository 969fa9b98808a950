/**
 * The instance processes of the bench: our cache and bus, their peers and the floors. WORKLOAD
 * selects their work; `hits.ts` and `store.ts` have the contenders of each workload.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { connectRedis } from '@repo/redis'
import { type InstanceContext, serveContenders } from '@repo/testing/bench'
import { createBus } from '../src/index.ts'
import { hitContenders } from './hits.ts'
import { storeContenders } from './store.ts'

/** Longer than a round takes that leaves the event loop no turn. */
const LEASE_MS = 500

/** Until the list of members is complete. */
const announced = () => pause(1_200)

async function openBus({ redisUrl, instance }: InstanceContext) {
  const redis = connectRedis({ url: redisUrl, name: `bench-${instance}`, deadlineMs: 5_000 })
  await redis.ready(30_000)
  const bus = createBus({ redis, name: 'bench', instance: `bench-${instance}` })
  bus.on('waited', () => undefined)
  await bus.ready()
  async function settle() {
    do await pause(5)
    while (bus.health().leaseMsLeft < LEASE_MS)
  }
  async function close() {
    await bus.close()
    await redis.close()
  }
  return { bus, settle, close }
}

const workload = process.env['WORKLOAD'] ?? ''

serveContenders({
  async barrier(context) {
    const { bus, close } = await openBus(context)
    async function run(i: number) {
      const { outcome } = await bus.emit('waited', i, { wait: 'everywhere' })
      if (outcome !== 'everywhere') throw new Error(`A barrier is ${outcome}`)
    }
    return { run, settle: announced, close }
  },
  ...(workload === 'hits' ? hitContenders(openBus) : storeContenders(workload, openBus)),
})

export type OpenBus = typeof openBus
