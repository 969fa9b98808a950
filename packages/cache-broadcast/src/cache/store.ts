import type { Link } from '../bus/link.ts'
import { createRedisLevel } from './redis-level.ts'
import { expire, put } from './scripts.ts'
import type { Reading, Store } from './types.ts'

/** Opens the second level of a cache: Redis, or nothing if the bus has no Redis. */
export function openStore(
  cache: string,
  { link, hasTags }: { link: Link; hasTags: boolean },
): Store {
  const { redis } = link
  if (!redis) return createAbsentStore(cache, link)
  return createRedisLevel({
    cache,
    keys: redis.keys,
    claimMs: link.claimMs,
    call: (command) => redis.call(command),
    publish: link.publish,
    applied: () => link.applied(),
    ensureListed: () => (hasTags ? redis.ensureListed() : undefined),
    onRegress: () => redis.rejoin(),
  })
}

/** Each caller may load each value. A change is published, and nothing is stored. */
function createAbsentStore(cache: string, link: Link): Store {
  // A loaded value is stored in memory, unless an entry with a number above `version` fenced it.
  const claimed = (): Reading => ({
    outcome: 'claimed',
    token: '',
    version: String(link.applied()),
    nowMs: 0,
  })
  return {
    read: async () => claimed(),
    readMany: async (keys) => keys.map(claimed),
    claim: async () => claimed(),
    commit: async () => true,
    peek: async () => ({ value: undefined, nowMs: 0 }),
    offer: async () => true,
    extend: async () => undefined,
    release: async () => undefined,
    put: (key, _value, { wait }) =>
      link.publish({ script: put, message: { kind: 'keys', cache, keys: [key] }, wait }),
    expire: (keys, _bridgeMs, { wait }) =>
      link.publish({ script: expire, message: { kind: 'soft', cache, keys }, wait }),
  }
}
