/** What an instance counts, since its last report or since it started. */
export interface Counters {
  logins: number
  /** Checks of a cookie that is ours, by what answered them. */
  memo: number
  cookie: number
  redis: number
  database: number
  /** Sessions asked for in PostgreSQL: one query may answer many checks. */
  queries: number
  /** Checks that nothing could answer. */
  failures: number
  /** Time that checks took which did not end at once, in µs. */
  waitedUs: number
  /** Cookies that were good once, and whose user is deleted or banned. */
  deleted: number
  banned: number
  /** Revocations that were sent to all, and how long that took together, in µs. */
  revocations: number
  revocationUs: number
  /** Revocations that Redis could not be told at once. */
  pending: number
}

/** Their names, in which they are reported. */
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
