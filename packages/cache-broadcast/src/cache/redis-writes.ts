import { createBatch, createBatchQueue, type Pace } from '@repo/concurrency'
import { sendScript } from '@repo/redis'
import type { Redis } from 'ioredis'
import type { Delivery, DeliveryOptions, Publish } from '../bus/types.ts'
import { extend, put } from './scripts.ts'
import type { PutValue } from './types.ts'

/** Values of one script: more would occupy Redis for too long. */
const MAX_VALUES = 64
/** Text of one script, in units of UTF-16. A larger value is stored alone. */
const MAX_TEXT = 65_536
/** Scripts in flight that store loaded values. Further values wait, and are stored together. */
const SCRIPTS = 8

/** Claims of one script: more would occupy Redis for too long. */
export const CLAIMS = 64
/** With more loads than this, claims are valid for longer, because they may be prolonged too late. */
const FEW_LOADS = 256
const FEW_BYTES = 2 ** 20
/** The longest claim is this number of times `claimMs`. */
const MAX_FACTOR = 10

/** A loaded value, to be stored under its claim. */
export interface Fill {
  key: string
  token: string
  lifeMs: number
  value: string
}

interface PendingFill {
  fill: Fill
  resolve: (isStored: boolean) => void
  reject: (error: unknown) => void
}

/**
 * Stores the loaded values of one tick together, a few short scripts at a time. Values that wait for a
 * reply of Redis are stored together too.
 * @param commit returns for each value whether it was stored
 */
export function createFills(commit: (fills: Fill[]) => Promise<boolean[]>) {
  let pending: PendingFill[] = []
  let isScheduled = false
  let inFlight = 0

  function send() {
    isScheduled = false
    let from = 0
    while (from < pending.length && inFlight < SCRIPTS) {
      const to = endOfScript(from)
      void settle(pending.slice(from, to))
      from = to
    }
    pending = pending.slice(from)
  }

  function endOfScript(from: number): number {
    let to = from
    let text = 0
    for (; to < pending.length && to - from < MAX_VALUES; to += 1) {
      text += pending[to]?.fill.value.length ?? 0
      if (text > MAX_TEXT && to > from) break
    }
    return to
  }

  async function settle(sent: PendingFill[]) {
    inFlight += 1
    try {
      const stored = await commit(sent.map(({ fill }) => fill))
      for (const [i, { resolve }] of sent.entries()) resolve(stored[i] === true)
    } catch (error) {
      for (const { reject } of sent) reject(error)
    } finally {
      inFlight -= 1
      schedule()
    }
  }

  function schedule() {
    if (isScheduled || pending.length === 0 || inFlight >= SCRIPTS) return
    isScheduled = true
    process.nextTick(send)
  }

  return (fill: Fill): Promise<boolean> =>
    new Promise((resolve, reject) => {
      pending.push({ fill, resolve, reject })
      schedule()
    })
}

interface Put {
  key: string
  value: PutValue
}

interface PendingPut extends Put {
  resolve: (delivery: Delivery) => void
  reject: (error: unknown) => void
}

/**
 * Stores the values that callers set (I5). The values of one tick are one script and one entry of the
 * log, so they have one version. Therefore no two of them have the same key: the second value of a key
 * begins the next script, and the order of the versions is the order of the calls.
 */
export function createPuts({
  cache,
  publish,
  nameOf,
}: {
  cache: string
  publish: Publish
  nameOf: (key: string) => string
}) {
  const { add, flush } = createBatchQueue<PendingPut>({
    maxItems: MAX_VALUES,
    handle: (puts) => void write(puts),
  })
  const collected = { keys: new Set<string>(), text: 0 }

  async function write(puts: PendingPut[]) {
    collected.keys.clear()
    collected.text = 0
    try {
      const delivery = await send(puts, undefined)
      for (const { resolve } of puts) resolve(delivery)
    } catch (error) {
      for (const { reject } of puts) reject(error)
    }
  }

  function send(puts: Put[], wait: DeliveryOptions['wait']): Promise<Delivery> {
    const args: (string | number)[] = []
    for (const { value } of puts) args.push(value.kind, value.freshMs, value.lifeMs, value.rest)
    const keys = puts.map(({ key }) => key)
    const message = { kind: 'keys', cache, keys } as const
    return publish({ script: put, message, keys: keys.map(nameOf), args, wait })
  }

  return (key: string, value: PutValue, { wait }: DeliveryOptions): Promise<Delivery> => {
    if (wait) return send([{ key, value }], wait)
    if (collected.keys.has(key) || collected.text + value.rest.length > MAX_TEXT) flush()
    collected.keys.add(key)
    collected.text += value.rest.length
    return new Promise((resolve, reject) => add({ key, value, resolve, reject }))
  }
}

/** The exclusive right of one caller in the cluster to load a key. */
export interface Claim {
  key: string
  token: string
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

  const releaseOne = createBatch<Claim, true>(CLAIMS, async (claims) => {
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
