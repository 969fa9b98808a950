import { setTimeout as pause } from 'node:timers/promises'
import { connectRedis } from '@repo/redis'
import type { InstanceContext } from '@repo/testing/bench'
import { createBus } from '../src/index.ts'

/** Longer than a round takes that leaves the event loop no turn. */
const LEASE_MS = 500

/** Opens a bus on a new connection. */
export async function openBus({ redisUrl, instance }: InstanceContext) {
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

export type OpenBus = typeof openBus
