import { createBatch } from './batch.ts'
import type { Bus } from './bus-api.ts'
import { clear, drop } from './cache-scripts.ts'
import { type BusKeys, valueKey } from './keys.ts'
import type { Delivery } from './link.ts'
import type { Message } from './message.ts'
import { checkName, tagName, toKeys, toTags } from './names.ts'
import type { Publish } from './publish.ts'
import { dropTags, softenTags } from './tag-scripts.ts'

/** Keys of one entry of the log. */
const CHUNK = 100
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
  const single = createSingles((cache, some) => sendKeys(cache, some, 0, undefined))

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

  return {
    async invalidate(cache, only, { wait, holdMs = 0 } = {}) {
      checkName('cache', cache)
      const all = toKeys(only)
      if (all.length === 0) return { outcome: 'sent', n: 0 }
      if (typeof only === 'string' && !wait && holdMs === 0) {
        apply({ kind: 'keys', cache, keys: all }, NOW)
        return single(cache, only)
      }
      const chunks = chunk(all, CHUNK)
      // Entries are applied in order: who has the last one has them all.
      const last = chunks.pop() ?? []
      await Promise.all(chunks.map((some) => sendKeys(cache, some, holdMs, undefined)))
      return sendKeys(cache, last, holdMs, wait)
    },
    async invalidateTag(only, { wait } = {}) {
      const tags = toTags(only)
      const names = tags.map((tag) => keys.tagPrefix + tagName(tag))
      const message = { kind: 'tags', tags } as const
      return send({ script: dropTags, message, keys: names, args: [MAX_LIFE_MS, tagged()], wait })
    },
    async expireTag(only, { wait, expireMs } = {}) {
      const tags = toTags(only)
      const names = tags.map((tag) => keys.tagPrefix + tagName(tag))
      const message = { kind: 'soft-tags', tags, expireMs } as const
      const args = [MAX_LIFE_MS, tagged(), expireMs ?? '']
      return send({ script: softenTags, message, keys: names, args, wait })
    },
    async clear(cache, { wait } = {}) {
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

function chunk<T>(all: T[], size: number): T[][] {
  const chunks: T[][] = []
  for (let at = 0; at < all.length; at += size) chunks.push(all.slice(at, at + size))
  return chunks
}
