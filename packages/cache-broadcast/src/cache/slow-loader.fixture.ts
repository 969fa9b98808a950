import { setTimeout as pause } from 'node:timers/promises'
import { connectRedis } from '@repo/redis'
import { serveReplica } from '@repo/testing/replica'
import { type Cache, createBus, createCache } from '../index.ts'

let cache: Cache<string>

/** An instance that reads the source at once and returns the value 250 ms later. */
serveReplica({
  async open(url: string) {
    const redis = connectRedis({ url, name: 'slow-loader' })
    await redis.ready()
    const bus = createBus({ redis, name: 'test', instance: 'slow-loader', maxStaleMs: 300 })
    await bus.ready()
    cache = createCache({
      bus,
      name: 'value',
      parse: String,
      async load(key) {
        const value = String(await redis.client.get(`source-${key}`))
        await redis.client.set(`began-${key}`, 1)
        await pause(250)
        return value
      },
    })
  },
  async get(key: string) {
    return { value: await cache.get(key), refused: cache.stats().refused }
  },
})
