/* oxlint-disable no-empty-pattern -- vitest reads what a fixture needs from this very pattern */
import { connectRedis, type RedisConnection } from '@repo/redis'
import { test as base } from '@repo/testing'
import { type Bus, type BusOptions, createBus } from './index.ts'

export interface Instance {
  bus: Bus
  redis: RedisConnection
}

interface JoinOptions extends Partial<BusOptions> {
  deadlineMs?: number
  /** The `createBus` of a mutant. */
  create?: typeof createBus
}

/** Makes one other call after another on the connection of a bus, until `work` has ended. */
export async function callUntil(work: Promise<unknown>, { redis }: Pick<Instance, 'redis'>) {
  const state = { isDone: false, served: 0, rejected: [] as unknown[] }
  const end = () => void (state.isDone = true)
  work.then(end, end)
  while (!state.isDone) {
    try {
      await redis.call((client) => client.get('other'))
      state.served += 1
    } catch (error) {
      state.rejected.push(error)
    }
  }
  return state
}

/** `test` with `join(url, instance)`: an instance on the bus of the test, which leaves after it. */
export const test = base.extend('join', async ({}, { onCleanup }) => {
  const joined: Instance[] = []
  onCleanup(async () => {
    await Promise.all(joined.map(({ bus }) => bus.close()))
    await Promise.all(joined.map(({ redis }) => redis.close()))
  })
  return async (
    url: string,
    instance: string,
    { deadlineMs = 250, create = createBus, ...options }: JoinOptions = {},
  ): Promise<Instance> => {
    const redis = connectRedis({ url, name: instance, deadlineMs })
    await redis.ready()
    const bus = create({ redis, name: 'test', instance, maxStaleMs: 300, ...options })
    joined.push({ bus, redis })
    await bus.ready()
    return { bus, redis }
  }
})
