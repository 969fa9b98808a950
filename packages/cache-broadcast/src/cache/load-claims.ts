import { createBatch, createRenewedLeases, type Pace } from '@repo/concurrency'
import { sendScript } from '@repo/redis'
import type { Redis } from 'ioredis'
import { extend } from './scripts.ts'
import type { Store } from './types.ts'

/** Keys of one script: more would occupy Redis for too long. */
const BATCH = 64
/** Scripts in flight that prolong claims: more would occupy Redis for others. */
const SCRIPTS = 4
/** With more loads than this, claims are valid for longer, because they may be prolonged too late. */
const FEW_LOADS = 256
const FEW_BYTES = 2 ** 20
/** The longest claim is this number of times `claimMs`. */
const MAX_FACTOR = 10

/** The exclusive right of one caller in the cluster to load a key. */
export interface Claim {
  key: string
  token: string
}

/**
 * Prolongs the claims of loads that take long. No other instance loads the same key while this process
 * runs (I6). A load that ends before the first turn costs nothing.
 */
export function createLoadClaims(
  store: Pick<Store, 'extend'>,
  claimMs: number,
  onError: () => void,
) {
  const leases = createRenewedLeases<Claim>({
    task: 'cache.renew-claims',
    async renew(claims) {
      for (const chunks of chunksOf(chunksOf([...claims], BATCH), SCRIPTS)) {
        // If it fails, the claims end and other instances load the values too.
        await Promise.all(chunks.map((chunk) => store.extend(chunk).catch(onError)))
      }
    },
  })

  return {
    /** Returns a function that stops prolonging the claim. */
    hold: (key: string, token: string) => leases.hold({ key, token }, claimMs),
  }
}

/** Prolongs and releases the claims of one cache in Redis, and computes how long they are valid. */
export function createRedisClaims({
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
  /** The size of the values that were read and stored recently. */
  averageBytes: () => number
}) {
  /** Claims that this process holds. */
  let held = 0
  /** Reads in flight: each may take a claim. */
  let requested = 0

  /** How long a claim is valid unless it is prolonged, in ms. */
  function validMs(): number {
    const loads = held + requested
    const work = Math.max(loads / FEW_LOADS, (loads * averageBytes()) / FEW_BYTES)
    return Math.round(claimMs * Math.min(MAX_FACTOR, Math.max(1, work)))
  }

  async function prolong(claims: Claim[], ms: number): Promise<void> {
    const names = [meta, ...claims.map(({ key }) => nameOf(key))]
    const args = [ms, ...claims.map(({ token }) => token)]
    await call((client) => sendScript(client, extend, names, args))
  }

  const releaseOne = createBatch<Claim, true>(BATCH, async (claims) => {
    held -= claims.length
    await pace({ bytes: claims.length, run: () => prolong(claims, 0) })
    return claims.map(() => true as const)
  })

  return {
    validMs,
    noteRequested(count: number): void {
      requested += count
    },
    noteReplied(count: number): void {
      requested -= count
    },
    noteTaken(count: number): void {
      held += count
    },
    noteCommitted(count: number): void {
      held -= count
    },
    extend: (claims: Claim[]) => prolong(claims, validMs()),
    async release(key: string, token: string): Promise<void> {
      await releaseOne({ key, token })
    },
  }
}

/** The list in pieces of at most `size`. */
export function chunksOf<T>(all: T[], size: number): T[][] {
  const chunks: T[][] = []
  for (let at = 0; at < all.length; at += size) chunks.push(all.slice(at, at + size))
  return chunks
}
