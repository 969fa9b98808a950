import { DEFAULT_PREFIX, keyspace } from '@repo/redis'
import { countedMs, type Policy } from './policy.ts'

/** The hash tag of all counts. It is short because it is part of the name of every count. */
export const LIMITER_SLOT = 'rl'

export type LimiterKeys = ReturnType<typeof limiterKeys>

const LETTERS = { sliding: 's', 'token-bucket': 't', fixed: 'f', concurrency: 'c' } as const

/** The shape of all `concurrency` counts: each holder has its own end, for any window. */
export const CONCURRENCY = LETTERS.concurrency

/**
 * Every key of the limiter. All of them have one hash tag, so that one script can count all dimensions
 * of a request. Each key in Redis expires by itself (R8).
 * - a count, `<policy>~<shape>:<identifier>`: a string in the format of its algorithm. For
 *   `concurrency`: a zset holder -> end (ms).
 * - `<policy>~`: a zset of the shapes in use -> the time until which they count (ms)
 * - `.blocks`: a zset subject, `<policy>:<identifier>` -> the end of its block (ms)
 * - `.health~<shape>:probe`: the counts of probes
 * - per minute: `.activity` hash `<policy>|<outcome>` -> takes, `.limited` zset subject -> refusals
 *
 * A subject has the same name in all releases. The release before shapes gives counts the names of
 * subjects.
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
    /** The identifier follows as the last part. So two subjects never have the same name. */
    subjectPrefix: (policy: string) => key(policy, ''),
    /** The identifier follows. */
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

/**
 * The shape of the counts of a policy: the algorithm, and the time for which a unit counts. It is part
 * of the name of a count (R12). So two releases with different shapes count apart, and neither resets
 * the counts of the other. `s60` is a sliding window of 60 s, `f1500ms` a fixed one of 1.5 s.
 */
export function shapeOf(policy: Policy): string {
  const letter = LETTERS[policy.algorithm]
  if (letter === CONCURRENCY) return letter
  const ms = countedMs(policy)
  return ms % 1_000 === 0 ? `${letter}${ms / 1_000}` : `${letter}${ms}ms`
}

/** The policy with counts of another shape; undefined for `concurrency` and for an unknown shape. */
export function withShape(policy: Policy, shape: string): Policy | undefined {
  const [, letter, digits, unit] = /^([stf])(\d{1,10})(ms)?$/.exec(shape) ?? []
  if (digits === undefined) return undefined
  const windowMs = Number(digits) * (unit === undefined ? 1_000 : 1)
  const algorithm = letter === 's' ? 'sliding' : letter === 't' ? 'token-bucket' : 'fixed'
  return { ...policy, algorithm, windowMs, lease: undefined }
}
