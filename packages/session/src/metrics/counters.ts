/** The counters of an instance, since its last report or since its start. */
export interface Counters {
  logins: number
  /** Checks of a cookie with a valid signature, by their source. */
  memo: number
  cookie: number
  redis: number
  database: number
  /** Queries of sessions in PostgreSQL. One query may serve several checks. */
  queries: number
  /** Checks without a result, since no store was available. */
  failures: number
  /** The time of the checks that read Redis or PostgreSQL, in µs. */
  waitedUs: number
  /** Checks of a former session whose user is deleted or banned. */
  deleted: number
  banned: number
  /** Revocations that were sent to all instances, and the total time of that, in µs. */
  revocations: number
  revocationUs: number
  /** Revocations that were not sent at once, since Redis was unavailable. */
  pending: number
}

/** The checks of an instance by outcome. A request without a cookie of this site is `none`. */
export type OutcomeCounters = Record<
  'valid' | 'none' | 'expired' | 'revoked' | 'unavailable',
  number
>

/** The names of the counters in a report. */
export const COUNTERS = [
  'logins',
  'memo',
  'cookie',
  'redis',
  'database',
  'queries',
  'failures',
  'waitedUs',
  'deleted',
  'banned',
  'revocations',
  'revocationUs',
  'pending',
] as const satisfies (keyof Counters)[]

export function createCounters(): Counters {
  return {
    logins: 0,
    memo: 0,
    cookie: 0,
    redis: 0,
    database: 0,
    queries: 0,
    failures: 0,
    waitedUs: 0,
    deleted: 0,
    banned: 0,
    revocations: 0,
    revocationUs: 0,
    pending: 0,
  }
}
