import type { Redis } from 'ioredis'

export type LegacyNews = ReturnType<typeof createLegacyNews>

/**
 * Serves the channel of the release before, whose name has no database number, as long as a member of
 * that release is registered: it costs each entry another message.
 * @param channel undefined: never
 */
export function createLegacyNews(channel: string | undefined, onError: (error: unknown) => void) {
  let isServed = false
  /** The connection that follows the channel. */
  let follower: Redis | undefined

  return {
    channel,
    /** @param members how many members of the release before the list has */
    note(redis: Redis, members: unknown): void {
      if (channel === undefined) return
      isServed = Number(members) > 0
      if (isServed === (follower === redis)) return
      follower = isServed ? redis : undefined
      const told = isServed ? redis.ssubscribe(channel) : redis.sunsubscribe(channel)
      told.catch(onError)
    },
    /** For a script that appends: 1 the sender waits for everybody, 2 this channel too, 3 both. */
    flags(waits: boolean): string {
      if (isServed) return waits ? '3' : '2'
      return waits ? '1' : '0'
    },
  }
}
