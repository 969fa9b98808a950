import { randomUUID } from 'node:crypto'
import keyvTestSuite from '@keyv/test-suite'
import { startValkey } from '@repo/embedded'
import { connectRedis } from '@repo/redis'
import { afterAll, beforeAll } from '@repo/testing'
import { Keyv } from 'keyv'
import * as vitest from 'vitest'
import { type Bus, type Cache, createBus, createCache } from '../index.ts'

const closing: (() => Promise<void>)[] = []
let bus: Bus

beforeAll(async () => {
  const valkey = await startValkey()
  const redis = connectRedis({ url: valkey.url, name: 'keyv' })
  await redis.ready()
  bus = createBus({ redis, name: randomUUID(), instance: 'keyv' })
  closing.push(
    () => bus.close(),
    () => redis.close(),
    () => valkey.stop(),
  )
  await bus.ready()
})

afterAll(async () => {
  for (const close of closing) await close()
})

async function nothing() {
  return undefined
}

/** The interface of a store of Keyv, with a cache for each of its namespaces. */
class CacheStore {
  opts = {}
  namespace: string | undefined
  readonly #caches = new Map<string, Cache<string>>()

  get #cache(): Cache<string> {
    const name = `keyv-${this.namespace ?? ''}`
    const existing = this.#caches.get(name)
    if (existing) return existing
    const cache = createCache<string>({
      bus,
      name,
      parse: String,
      load: nothing,
      negativeTtlMs: 1_000,
    })
    this.#caches.set(name, cache)
    return cache
  }

  get = (key: string) => this.#cache.get(key)
  getMany = (keys: string[]) => this.#cache.getMany(keys)
  has = async (key: string) => (await this.get(key)) !== undefined
  clear = async () => void (await this.#cache.clear())

  async set(key: string, value: string, ttlMs?: number) {
    await this.#cache.set(key, value, { ttlMs })
    return true
  }

  async delete(key: string) {
    const had = await this.has(key)
    await this.#cache.invalidate(key)
    return had
  }

  async deleteMany(keys: string[]) {
    const had = await Promise.all(keys.map((key) => this.delete(key)))
    return had.some(Boolean)
  }

  on() {
    return this
  }
}

// Its types are those of another major version of vitest; it uses `it`, `expect` and the hooks.
Reflect.apply(keyvTestSuite, undefined, [vitest, Keyv, () => new CacheStore()])
