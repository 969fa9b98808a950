import { DEFAULT_PREFIX, keyspace } from '@repo/redis'
import { countedMs, type Policy } from './policy.ts'

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

const LETTERS = { sliding: 's', 'token-bucket': 't', fixed: 'f', concurrency: 'c' } as const

/** The shape of all `concurrency` counts: each holder has its end, whatever the window is. */
export const CONCURRENCY = LETTERS.concurrency

/**
 * How a policy lays out its counts: the algorithm, and for how long a unit counts. It is a part of a
 * count's name, so two releases whose policies differ in it count apart, and neither resets the
 * counts of the other. `s60` is a sliding window of 60 s, `f1500ms` a fixed one of 1.5 s.
 */
export function shapeOf(policy: Policy): string {
  const letter = LETTERS[policy.algorithm]
  if (letter === CONCURRENCY) return letter
  const ms = countedMs(policy)
  return ms % 1_000 === 0 ? `${letter}${ms / 1_000}` : `${letter}${ms}ms`
}

/** A policy with counts of another shape; undefined for `concurrency` and for what is no shape. */
export function withShape(policy: Policy, shape: string): Policy | undefined {
  const [, letter, digits, unit] = /^([stf])(\d{1,10})(ms)?$/.exec(shape) ?? []
  if (digits === undefined) return undefined
  const windowMs = Number(digits) * (unit === undefined ? 1_000 : 1)
  const algorithm = letter === 's' ? 'sliding' : letter === 't' ? 'token-bucket' : 'fixed'
  return { ...policy, algorithm, windowMs, lease: undefined }
}
