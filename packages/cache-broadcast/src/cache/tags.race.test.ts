import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connectRedis } from '@repo/redis'
import { copyMutant, type Edit, expect, test } from '@repo/testing'
import type { CacheOptions, createBus, createCache } from '../index.ts'

const SOURCE = path.join(import.meta.dirname, '..')

interface Library {
  createBus: typeof createBus
  createCache: typeof createCache
}

interface Value {
  v: number
}

function toValue(stored: unknown): Value {
  if (typeof stored === 'object' && stored !== null && 'v' in stored) return { v: Number(stored.v) }
  throw new TypeError('not a value')
}

const ROUNDS = 40
const KEYS = ['a', 'b', 'c']

/** The functions `tags` of two releases of one cache. */
type Releases = [CacheOptions<Value>['tags'], CacheOptions<Value>['tags']]

/**
 * Three instances of two releases and a sender without the cache. In each round the source changes,
 * a tag is invalidated with a barrier, and all instances read, some while they load.
 * @returns the number of reads, and of those that began after the barrier and were served an older value
 */
async function run(library: Library, url: string, [before, after]: Releases, soft: boolean) {
  let truth = 0
  const load = async () => {
    const value = { v: truth }
    await pause(Math.random() * 4)
    return value
  }
  const members = await Promise.all(
    [before, before, after, after].map(async (tags, i) => {
      const redis = connectRedis({ url, name: `tags-${i}`, deadlineMs: 5_000 })
      await redis.ready()
      const bus = library.createBus({ redis, name: 'tags', instance: `tags-${i}` })
      await bus.ready()
      const options = { bus, name: 'value', parse: toValue, load, ...(tags && { tags }) }
      return { redis, bus, cache: i === 3 ? undefined : library.createCache<Value>(options) }
    }),
  )
  const caches = members.flatMap(({ cache }) => cache ?? [])
  const tally = { reads: 0, stale: 0 }
  for (let round = 0; round < ROUNDS; round += 1) {
    // The order in which the releases fill the key changes.
    const order = round % 2 === 0 ? caches : caches.toReversed()
    for (const cache of order) await cache.getMany(KEYS)
    if (round % 3 === 0) for (const cache of order) await cache.set('c', { v: truth })
    // Read by the release before only.
    const earlier = [caches[0]!, caches[1]!]
    for (const cache of earlier) await cache.get('earlier')
    const loading = round % 4 === 0 ? order.map((cache) => cache.get(`new-${round}`)) : []
    truth += 1
    // The members of the later release send, and the one that has no such cache.
    const { bus } = members[2 + (round % 2)]!
    if (soft) await bus.expireTag('t', { wait: 'everywhere', expireMs: 0 })
    else await bus.invalidateTag('t', { wait: 'everywhere' })
    for (const cache of earlier) {
      tally.reads += 1
      tally.stale += (await cache.get('earlier'))?.v === truth ? 0 : 1
    }
    for (let i = 0; i < 2; i += 1) {
      for (const cache of order) {
        const values = await cache.getMany([...KEYS, `new-${round}`])
        tally.reads += values.length
        tally.stale += values.filter((value) => value?.v !== truth).length
      }
    }
    await Promise.all(loading)
  }
  await Promise.all(members.map(({ bus }) => bus.close()))
  await Promise.all(members.map(({ redis }) => redis.close()))
  return tally
}

const tagged = () => ['t', 'u']
const CASES: [title: string, releases: Releases][] = [
  ['one release declares no tags', [undefined, tagged]],
  ['one release declares other tags', [() => ['t'], tagged]],
  ['both releases declare the tag', [tagged, tagged]],
]

test.for([true, false].flatMap((soft) => CASES.map((titled) => [...titled, soft] as const)))(
  'I1: a barrier of a tag holds on all members when %s',
  async ([title, releases, soft], { redisUrl }) => {
    const library: Library = await import('../index.ts')
    const tally = await run(library, redisUrl, releases, soft)
    console.log(`${title}, ${soft ? 'expireTag' : 'invalidateTag'}:`, JSON.stringify(tally))
    expect(tally).toEqual({ reads: ROUNDS * 26, stale: 0 })
  },
)

const MUTANTS: [mutant: string, edit: Edit][] = [
  [
    'untagged entries stay in memory',
    ['cache/invalidation-sink.ts', 'if (!hasTags) memory.clear(n)', ''],
  ],
  [
    'untagged values stay valid in Redis',
    ['cache/scripts.ts', 'and version < meta[4] and', 'and false and'],
  ],
  [
    'stored tags are not checked',
    ['cache/codec.ts', 'if (tagsOf && !', 'if (false && tagsOf && !'],
  ],
  [
    'no cache is listed',
    ['bus/invalidate-scripts.ts', "if added == '' then return names end", 'do return {} end'],
  ],
]

test.for(MUTANTS)(
  'a tag race notices a mutant in which %s',
  async ([mutant, edit], { redisUrl }) => {
    const { source, remove } = await copyMutant(SOURCE, mutant, [edit])
    try {
      const library: Library = await import(source)
      const tally = await run(library, redisUrl, [undefined, tagged], false)
      console.log(`${mutant}:`, JSON.stringify(tally))
      expect(tally.stale).toBeGreaterThan(0)
    } finally {
      await remove()
    }
  },
)
