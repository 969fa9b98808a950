import { createBatch, runInBackground } from '@repo/concurrency'
import { type ConnectionLog, sendScript } from '@repo/redis'
import type { Redis } from 'ioredis'
import { checkName, checkWait, checkWhole, readOptions, tagName, toKeys, toTags } from '../input.ts'
import type { createSinks } from './entries.ts'
import { clear, declareTagged, drop, dropTags, softenTags } from './invalidate-scripts.ts'
import { type BusKeys, VALUE_SUFFIX } from './keys.ts'
import type { Lease } from './lease.ts'
import type { Message } from './message.ts'
import type { Bus, Delivery, DeliveryOptions, Publication, Publish, Sink } from './types.ts'

/** Keys, or tags, of one entry of the log. */
const CHUNK = 100
/** The length of these keys or tags together, in units of UTF-16. */
const CHUNK_LENGTH = 8_192
/** The longest life of a value: Redis stores the number of a tag's invalidation for this time. */
export const MAX_LIFE_MS = 86_400_000
/** Above every number: it drops all values in memory and fences all reads in flight. */
const NOW = Number.MAX_SAFE_INTEGER

type Wait = DeliveryOptions['wait']

/**
 * The calls of a bus that invalidate values on every instance. They first drop the values in the memory
 * of this instance, also when Redis is unavailable.
 */
export function createInvalidations({
  keys,
  publish,
  apply,
  tagged,
}: {
  keys: BusKeys
  publish: Publish
  apply: (message: Message, n: number) => void
  /** The caches of this process whose values have tags, with commas between. */
  tagged: () => string
}): Pick<Bus, 'invalidate' | 'invalidateTag' | 'expireTag' | 'clear'> {
  const invalidateOne = createSingles((cache, all) =>
    sendChunks(all, undefined, (part) => sendKeys(cache, part, 0, undefined)),
  )

  function sendKeys(cache: string, cacheKeys: string[], holdMs: number, wait: Wait) {
    const prefix = keys.valuePrefix(cache)
    const message = { kind: 'keys', cache, keys: cacheKeys } as const
    const names = cacheKeys.map((key) => prefix + key + VALUE_SUFFIX)
    return send({ script: drop, message, keys: names, args: [holdMs], wait })
  }

  /** Applies the message here before and after: a later read of the caller returns no older value. */
  async function send(publication: Publication): Promise<Delivery> {
    apply(publication.message, NOW)
    const delivery = await publish(publication)
    apply(publication.message, delivery.n)
    return delivery
  }

  function tagNames(tags: string[]): string[] {
    return tags.map((tag) => keys.tagPrefix + tagName(tag))
  }

  return {
    async invalidate(cache, cacheKeys, options) {
      const { wait, holdMs = 0 } = readOptions('invalidate', options)
      checkName('cache', cache)
      checkWait(wait)
      checkWhole('holdMs', holdMs, 0, MAX_LIFE_MS)
      const all = toKeys(cacheKeys)
      if (all.length === 0) return { outcome: 'sent', n: 0 }
      if (typeof cacheKeys === 'string' && !wait && holdMs === 0) {
        apply({ kind: 'keys', cache, keys: all }, NOW)
        return invalidateOne(cache, cacheKeys)
      }
      return sendChunks(all, wait, (part, partWait) => sendKeys(cache, part, holdMs, partWait))
    },
    async invalidateTag(tags, options) {
      const { wait } = readOptions('invalidateTag', options)
      return sendChunks(toTags(tags), wait, (part, partWait) => {
        const message = { kind: 'tags', tags: part } as const
        const args = [MAX_LIFE_MS, tagged()]
        return send({ script: dropTags, message, keys: tagNames(part), args, wait: partWait })
      })
    },
    async expireTag(tags, options) {
      const { wait, expireMs } = readOptions('expireTag', options)
      if (expireMs !== undefined) checkWhole('expireMs', expireMs, 0, MAX_LIFE_MS)
      return sendChunks(toTags(tags), wait, (part, partWait) => {
        const message = { kind: 'soft-tags', tags: part, expireMs } as const
        const args = [MAX_LIFE_MS, tagged(), expireMs ?? '']
        return send({ script: softenTags, message, keys: tagNames(part), args, wait: partWait })
      })
    },
    async clear(cache, options) {
      const { wait } = readOptions('clear', options)
      checkName('cache', cache)
      return send({
        script: clear,
        message: { kind: 'clear', cache },
        args: [keys.clearField(cache)],
        wait,
      })
    },
  }
}

/** Sends the single keys that are invalidated in one tick as one entry of the log. */
function createSingles(send: (cache: string, keys: string[]) => Promise<Delivery>) {
  const batches = new Map<string, (key: string) => Promise<Delivery>>()
  return (cache: string, key: string): Promise<Delivery> => {
    let batch = batches.get(cache)
    if (!batch) {
      batch = createBatch<string, Delivery>(CHUNK, async (keys) => {
        const delivery = await send(cache, keys)
        return keys.map(() => delivery)
      })
      batches.set(cache, batch)
    }
    return batch(key)
  }
}

/** Entries are applied in order: an instance that has applied the last entry has applied all. */
async function sendChunks(
  texts: string[],
  wait: Wait,
  sendChunk: (texts: string[], wait: Wait) => Promise<Delivery>,
): Promise<Delivery> {
  checkWait(wait)
  const chunks = chunk(texts)
  const last = chunks.pop() ?? []
  await Promise.all(chunks.map((part) => sendChunk(part, undefined)))
  return sendChunk(last, wait)
}

/** Splits texts into lists that fit into one entry each. */
export function chunk(texts: string[]): string[][] {
  let current: string[] = []
  const chunks = [current]
  let length = 0
  for (const text of texts) {
    if (current.length === CHUNK || length + text.length > CHUNK_LENGTH) {
      current = []
      chunks.push(current)
      length = 0
    }
    current.push(text)
    length += text.length
  }
  return chunks
}

/** The list in Redis is renewed after this time, long before its entries end. */
const RENEW_MS = 3_600_000

/**
 * Lists in Redis the caches of this process that declare tags: each time the instance joins the bus,
 * before their first read or write, and every hour. An entry that invalidates a tag contains the listed
 * caches, so that a member that declares no tags for one of them clears it.
 */
export function createTagged({
  meta,
  sinks,
  lease,
  log,
  call,
  now,
}: {
  meta: string
  sinks: ReturnType<typeof createSinks>
  /** The lease begins each time that the instance has joined the bus. */
  lease: Lease
  log: ConnectionLog | undefined
  call: <T>(command: (client: Redis) => Promise<T>) => Promise<T>
  now: () => number
}) {
  let listed: { join: number; atMs: number } | undefined

  function text(): string {
    return [...sinks.tagged].join(',')
  }

  async function send(declared: string): Promise<void> {
    await call((client) => sendScript(client, declareTagged, [meta], [declared]))
  }

  function ensure(): Promise<void> | undefined {
    const join = lease.lapses
    const nowMs = now()
    if (listed?.join === join && nowMs - listed.atMs < RENEW_MS) return undefined
    const declared = text()
    if (declared === '') return undefined
    const before = listed
    listed = { join, atMs: nowMs }
    return send(declared).catch((error: unknown) => {
      listed = before
      throw error
    })
  }

  /** If it fails, the next read of such a cache tries again. */
  function list(): void {
    listed = undefined
    runInBackground('cache.tags', ensure, log)
  }

  return {
    text,
    /** Rejects if the list could not be renewed; the next call tries again. */
    ensure,
    list,
    /** Returns a function that detaches the cache. */
    attach(sink: Sink): () => void {
      const isNew = sink.hasTags === true && !sinks.tagged.has(sink.cache)
      const detach = sinks.attach(sink)
      if (isNew) listed = undefined
      if (isNew && lease.untilMs > 0) list()
      return detach
    },
  }
}
