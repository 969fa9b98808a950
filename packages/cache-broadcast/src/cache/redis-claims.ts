import { createBatch } from '@repo/concurrency'
import type { Redis } from 'ioredis'
import type { Pace } from '../pace.ts'
import { runBatch } from '../run-script.ts'
import { extend } from './scripts.ts'

/** Keys of one script: more would occupy Redis for too long. */
const BATCH = 64
/** Above these, claims stand for longer, since they may not be prolonged in time. */
const FEW = 256
const SMALL_BYTES = 2 ** 20
const LONGEST = 10

export interface Claim {
  key: string
  token: string
}

/** The claims of this process on loading values of one cache, as Redis has them. */
export function createStoreClaims({
  meta,
  nameOf,
  claimMs,
  call,
  pace,
  averageBytes,
}: {
  meta: string
  nameOf: (key: string) => string
  claimMs: number
  call: <T>(command: (client: Redis) => Promise<T>) => Promise<T>
  pace: Pace
  /** Of the values read and stored lately. */
  averageBytes: () => number
}) {
  let standing = 0
  let waiting = 0

  /** How long a claim stands unless it is prolonged, in ms. */
  function time(): number {
    const loads = standing + waiting
    const work = Math.max(loads / FEW, (loads * averageBytes()) / SMALL_BYTES)
    return Math.round(claimMs * Math.min(LONGEST, Math.max(1, work)))
  }

  async function prolong(claims: Claim[], ms: number): Promise<void> {
    const names = [meta, ...claims.map(({ key }) => nameOf(key))]
    const args = [ms, ...claims.map(({ token }) => token)]
    await call((client) => runBatch(client, extend, names, args))
  }

  const releaseOne = createBatch<Claim, true>(BATCH, async (claims) => {
    standing -= claims.length
    await pace({ bytes: claims.length, run: () => prolong(claims, 0) })
    return claims.map(() => true as const)
  })

  return {
    time,
    /** Reads that may take claims wait for Redis, and no longer wait. */
    waits(count: number): void {
      waiting += count
    },
    waited(count: number): void {
      waiting -= count
    },
    taken(count: number): void {
      standing += count
    },
    committed(count: number): void {
      standing -= count
    },
    extend: (claims: Claim[]) => prolong(claims, time()),
    async release(key: string, token: string): Promise<void> {
      await releaseOne({ key, token })
    },
  }
}
