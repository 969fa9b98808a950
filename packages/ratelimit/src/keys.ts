import { DEFAULT_PREFIX, keyspace } from '@repo/redis'

/** The hash tag of all counts; short, for it stands in every count's name. */
export const LIMITER_SLOT = 'rl'

export type LimiterKeys = ReturnType<typeof limiterKeys>

/**
 * Every key of the limiter, all in the slot of one hash tag, so that one script counts all
 * dimensions of a request.
 * - a count is a string that its algorithm lays out, or for `concurrency` a zset lease -> end (ms);
 *   it ends by itself
 * - `blocks` zset: the name of a count -> until when it is blocked (ms)
 * - `health` string: written by the check of `/health`
 * - per minute: `activity` hash `<policy>|<what>` -> how many, `limited` zset count -> refusals
 */
export function limiterKeys(prefix = DEFAULT_PREFIX) {
  const key = keyspace(LIMITER_SLOT, { ownSlot: true, prefix })
  const { length } = key('')
  return {
    /** An identifier follows, which is the last part: whatever is in it, no two counts share a name. */
    countPrefix: (policy: string) => key(policy, ''),
    blocks: key('.blocks'),
    health: key('.health'),
    activityPrefix: key('.activity', ''),
    limitedPrefix: key('.limited', ''),
    /** The policy and the identifier that a count is named for. */
    parseCount: (name: string): { policy: string; id: string } => {
      const rest = name.slice(length)
      const colon = rest.indexOf(':')
      return { policy: rest.slice(0, colon), id: rest.slice(colon + 1) }
    },
  }
}
