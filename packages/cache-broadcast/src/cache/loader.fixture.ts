import { connectRedis } from '@repo/redis'
import { serveReplica } from '@repo/testing/replica'
import { createBus, createCache, type Cache } from '../index.ts'

let cache: Cache<string>

/** An instance whose loads never end. */
serveReplica({
  async open(url: string) {
    const redis = connectRedis({ url, name: 'loader' })
    await redis.ready()
    const bus = createBus({ redis, name: 'test', instance: 'loader', maxStaleMs: 300 })
    await bus.ready()
    cache = createCache({
      bus,
      name: 'value',
      parse: String,
      load: () => new Promise(() => undefined),
    })
  },
  load: (key: string) => cache.get(key),
})
