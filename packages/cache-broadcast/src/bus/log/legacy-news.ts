import type { Redis } from 'ioredis'

export type LegacyNews = ReturnType<typeof createLegacyNews>

/**
 * Serves the channel of the release before while a member of that release is registered. The name of
 * the channel has no database number. It costs a second message per entry.
 * @param channel undefined: the channel is never served
 */
export function createLegacyNews(channel: string | undefined, onError: (error: unknown) => void) {
  let isServed = false
  /** The connection that follows the channel. */
  let follower: Redis | undefined

  return {
    channel,
    /** @param members the number of listed members of the release before */
    note(redis: Redis, members: unknown): void {
      if (channel === undefined) return
      isServed = Number(members) > 0
      if (isServed === (follower === redis)) return
      follower = isServed ? redis : undefined
      const changed = isServed ? redis.ssubscribe(channel) : redis.sunsubscribe(channel)
      changed.catch(onError)
    },
    /** Flags for a script that appends: 1 the sender waits for all members, 2 this channel too, 3 both. */
    flags(waits: boolean): string {
      if (isServed) return waits ? '3' : '2'
      return waits ? '1' : '0'
    },
  }
}
