import { DEFAULT_PREFIX, keyspace } from '@repo/redis'
import type { Policy } from './policy.ts'
import { CONCURRENCY, shapeOf } from './shape.ts'

/** The hash tag of all counts; short, for it stands in every count's name. */
export const LIMITER_SLOT = 'rl'

export type LimiterKeys = ReturnType<typeof limiterKeys>

/**
 * Every key of the limiter, all in the slot of one hash tag, so that one script counts all
 * dimensions of a request.
 * - a count, `<policy>~<shape>:<identifier>`: a string that its algorithm lays out, or for
 *   `concurrency` a zset lease -> end (ms); it ends by itself
 * - `<policy>~` zset: the shapes that instances count in -> until when (ms)
 * - `blocks` zset: a subject, `<policy>:<identifier>` -> until when it is blocked (ms)
 * - `.health~<shape>:probe`: the counts of probes
 * - per minute: `activity` hash `<policy>|<what>` -> how many, `limited` zset subject -> refusals
 *
 * A subject has one name in all releases. The release before shapes names its counts like subjects.
 */
export function limiterKeys(prefix = DEFAULT_PREFIX) {
  const key = keyspace(LIMITER_SLOT, { ownSlot: true, prefix })
  const { length } = key('')

  function parseSubject(subject: string): { policy: string; id: string } {
    const rest = subject.slice(length)
    const colon = rest.indexOf(':')
    return { policy: rest.slice(0, colon), id: rest.slice(colon + 1) }
  }

  return {
    /** An identifier follows, which is the last part: whatever is in it, no two subjects share a name. */
    subjectPrefix: (policy: string) => key(policy, ''),
    /** An identifier follows. */
    countPrefix: (policy: Policy) => key(`${policy.name}~${shapeOf(policy)}`, ''),
    shapes: (policy: string) => key(`${policy}~`),
    blocks: key('.blocks'),
    activityPrefix: key('.activity', ''),
    limitedPrefix: key('.limited', ''),
    parseSubject,
    /** The holders of a subject under a `concurrency` policy. */
    holders: (subject: string): string => {
      const { policy, id } = parseSubject(subject)
      return key(`${policy}~${CONCURRENCY}`, '') + id
    },
  }
}
