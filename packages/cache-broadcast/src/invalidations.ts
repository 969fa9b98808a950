import { createBatch } from '@repo/concurrency'
import type { Bus } from './bus-api.ts'
import { checkWait, checkWhole, readOptions } from './bus-input.ts'
import { clear, drop } from './invalidate-scripts.ts'
import { type BusKeys, valueKey } from './keys.ts'
import type { Delivery, Publish } from './link.ts'
import type { Message } from './message.ts'
import { checkName, tagName, toKeys, toTags } from './names.ts'
import { dropTags, softenTags } from './tag-scripts.ts'

/** Keys, or tags, of one entry of the log, and their length. */
const CHUNK = 100
const CHUNK_LENGTH = 8_192
/** As long as any value may live: until then a tag's invalidation must be remembered. */
export const MAX_LIFE_MS = 86_400_000
/** Above every number: what is kept or under way in this process at the time is void. */
const NOW = Number.MAX_SAFE_INTEGER

/** Ways to make every instance forget. This instance forgets first, also when Redis is away. */
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
  const single = createSingles((cache, all) =>
    sendChunks(all, undefined, (some) => sendKeys(cache, some, 0, undefined)),
  )

  function sendKeys(cache: string, some: string[], holdMs: number, wait: 'everywhere' | undefined) {
    const prefix = keys.valuePrefix(cache)
    const message = { kind: 'keys', cache, keys: some } as const
    const names = some.map((key) => valueKey(prefix, key))
    return send({ script: drop, message, keys: names, args: [holdMs], wait })
  }

  /** Applied here before and after: who asked never reads its own past. */
  async function send(publication: Parameters<Publish>[0]): Promise<Delivery> {
    apply(publication.message, NOW)
    const delivery = await publish(publication)
    apply(publication.message, delivery.n)
    return delivery
  }

  function tagNames(tags: string[]): string[] {
    return tags.map((tag) => keys.tagPrefix + tagName(tag))
  }

  return {
    async invalidate(cache, only, options) {
      const { wait, holdMs = 0 } = readOptions('invalidate', options)
      checkName('cache', cache)
      checkWait(wait)
      checkWhole('holdMs', holdMs, 0, MAX_LIFE_MS)
      const all = toKeys(only)
      if (all.length === 0) return { outcome: 'sent', n: 0 }
      if (typeof only === 'string' && !wait && holdMs === 0) {
        apply({ kind: 'keys', cache, keys: all }, NOW)
        return single(cache, only)
      }
      return sendChunks(all, wait, (some, waits) => sendKeys(cache, some, holdMs, waits))
    },
    async invalidateTag(only, options) {
      const { wait } = readOptions('invalidateTag', options)
      return sendChunks(toTags(only), wait, (tags, waits) => {
        const message = { kind: 'tags', tags } as const
        const args = [MAX_LIFE_MS, tagged()]
        return send({ script: dropTags, message, keys: tagNames(tags), args, wait: waits })
      })
    },
    async expireTag(only, options) {
      const { wait, expireMs } = readOptions('expireTag', options)
      if (expireMs !== undefined) checkWhole('expireMs', expireMs, 0, MAX_LIFE_MS)
      return sendChunks(toTags(only), wait, (tags, waits) => {
        const message = { kind: 'soft-tags', tags, expireMs } as const
        const args = [MAX_LIFE_MS, tagged(), expireMs ?? '']
        return send({ script: softenTags, message, keys: tagNames(tags), args, wait: waits })
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

/** Single keys that are invalidated in one tick are one entry of the log. */
function createSingles(send: (cache: string, keys: string[]) => Promise<Delivery>) {
  const batches = new Map<string, (key: string) => Promise<Delivery>>()
  return (cache: string, key: string): Promise<Delivery> => {
    let batch = batches.get(cache)
    if (!batch) {
      batch = createBatch<string, Delivery>(CHUNK, async (some) => {
        const delivery = await send(cache, some)
        return some.map(() => delivery)
      })
      batches.set(cache, batch)
    }
    return batch(key)
  }
}

type Wait = 'everywhere' | undefined

/** Entries are applied in order: an instance that applied the last one has applied all. */
async function sendChunks(
  all: string[],
  wait: Wait,
  sendSome: (some: string[], wait: Wait) => Promise<Delivery>,
): Promise<Delivery> {
  checkWait(wait)
  const chunks = chunk(all)
  const last = chunks.pop() ?? []
  await Promise.all(chunks.map((some) => sendSome(some, undefined)))
  return sendSome(last, wait)
}

/** Lists of texts that fit into one entry. */
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
