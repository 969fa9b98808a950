import { connectRedis, type RedisConnection } from '@repo/redis'
import { expect, test, type TcpProxy, until } from '@repo/testing'
import { Redis } from 'ioredis'
import { newClaim } from '../conformance/open.ts'
import type { IdempotencyStore } from '../store.ts'
import type { Once } from '../types.ts'
import { idempotencyKeys } from './keys.ts'
import { importLibrary, makeMutant, type Mutant, original } from './mutants.fixture.ts'

/** No test waits for the end of such a lease. */
export const LEASE_MS = 3_600_000
export const UNAVAILABLE = { name: 'IdempotencyError', code: 'unavailable' }

interface Valkey {
  url: string
  pause(): void
  resume(): void
  kill(signal?: NodeJS.Signals): Promise<unknown>
  restart(): Promise<unknown>
}

/** A store behind a network to break, and another one that the network does not concern. */
interface Faulty {
  valkey: Valkey
  proxy: TcpProxy
  redis: RedisConnection
  direct: Redis
  store: IdempotencyStore
  other: IdempotencyStore
  /** Behind the network to break. */
  once: Once
  otherOnce: Once
  keys: ReturnType<typeof idempotencyKeys>
}

export const withFaults = test.extend('open', async ({ ownValkey, tcpProxy }, { onCleanup }) => {
  const closing: (() => unknown)[] = []
  onCleanup(async () => {
    for (const close of closing.toReversed()) await close()
  })
  return async (mutant?: Mutant): Promise<Faulty> => {
    const valkey: Valkey = ownValkey
    const proxy = await tcpProxy({ target: valkey.url })
    const redis = connectRedis({ url: proxy.url, name: 'broken' })
    const direct = new Redis(valkey.url, { retryStrategy: () => 50 })
    direct.on('error', () => undefined)
    const healthy = connectRedis({ url: valkey.url, name: 'healthy', deadlineMs: 5_000 })
    closing.push(
      () => direct.disconnect(),
      () => healthy.close(),
      () => redis.close(),
    )
    await Promise.all([redis.ready(30_000), healthy.ready(30_000)])
    const copy = mutant ? await makeMutant(mutant) : undefined
    if (copy) closing.push(copy.remove)
    const library = await importLibrary(copy?.source ?? original)
    const store = library.redisStore({ redis })
    const other = library.redisStore({ redis: healthy })
    const [once, otherOnce] = [store, other].map((each) =>
      library.createOnce({ store: each, leaseMs: LEASE_MS, graceMs: 0 }),
    )
    closing.push(
      () => once!.close(),
      () => otherOnce!.close(),
    )
    const warm = newClaim()
    await store.begin(warm, LEASE_MS)
    await store.release(warm)
    const keys = idempotencyKeys(redis)
    return { valkey, proxy, redis, direct, store, other, once: once!, otherOnce: otherOnce!, keys }
  }
})

/** The faults, each with its end. None of them loses memory. */
export const FAULTS = {
  hangs: {
    begin: ({ valkey }: Faulty) => valkey.pause(),
    end: ({ valkey }: Faulty) => valkey.resume(),
  },
  'hangs until its connection is replaced': {
    begin: ({ valkey }: Faulty) => valkey.pause(),
    async end({ valkey, redis }: Faulty) {
      await until(() => redis.client.status !== 'ready')
      valkey.resume()
    },
  },
  'loses the bytes of its connection': {
    begin: ({ proxy }: Faulty) => proxy.halfOpen(),
    end: ({ proxy }: Faulty) => proxy.heal(),
  },
  'refuses connections': {
    begin: ({ proxy }: Faulty) => proxy.cut(),
    end: ({ proxy }: Faulty) => proxy.heal(),
  },
  'replies after its deadline': {
    begin: ({ proxy }: Faulty) => proxy.delay(400),
    end: ({ proxy }: Faulty) => proxy.heal(),
  },
} as const

/** Sends a claim that arrives after its withdrawal, which is sent on the next connection. */
export async function beginLate({ proxy, redis, store, direct }: Faulty) {
  const claim = newClaim()
  proxy.delay(1_500)
  const { stream } = redis.client
  const written = stream.bytesWritten
  const refused = expect(store.begin(claim, LEASE_MS)).rejects.toMatchObject(UNAVAILABLE)
  await until(() => stream.bytesWritten > written, { everyMs: 1 })
  stream.destroy()
  await refused
  // The bytes that were sent are still delayed. Later connections are not.
  await proxy.heal()
  const connections = async () => {
    const list = String(await direct.client('LIST'))
    return list.split('\n').filter((line) => line.includes('name=broken')).length
  }
  await until(async () => (await connections()) === 2)
  // The server closes the first connection after it has executed all bytes of it.
  await until(async () => (await connections()) === 1)
  return claim
}
