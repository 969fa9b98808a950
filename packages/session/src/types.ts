import type { Cache } from '@repo/cache-broadcast'
import type { Outbox } from '@repo/outbox'
import type { Device, ListOptions } from './devices.ts'
import type { DatabaseClock } from './lookup/database-clock.ts'
import type { Observability } from './metrics/observability.ts'
import type { Revocation, RevokeTarget } from './revoke/revoke.ts'
import type { Rotation } from './revoke/rotate.ts'
import type { Settlement, SettleOptions } from './revoke/settle.ts'
import type { Trust } from './revoke/trust.ts'
import type { Tier, Validation } from './validate.ts'

/** The checks and revocations of one instance since its start. */
export interface SessionStats {
  /** Checks of a cookie with a valid signature, by the source of the result. */
  tiers: Record<Tier, number>
  outcomes: Record<Validation['outcome'], number>
  /** Revocations that wait for Redis now. */
  pendingRevocations: number
  /** Revocations that were not sent at once. */
  delayedRevocations: number
}

/**
 * Sessions of one instance. While PostgreSQL is unavailable, a method that uses it throws an error for
 * which `isDatabaseUnavailable` of `@repo/database` is true; `validate` and `settle` return an outcome
 * instead. An argument that is not valid is a SessionError `bad-argument`, before any store is used.
 */
export interface Sessions {
  /**
   * Identifies the caller by the `Cookie` header. An instance that receives the messages of the bus
   * refuses a revoked session from the message on, and any other instance after at most 1.5 s (S2).
   *
   * @throws the error of PostgreSQL when it refuses the query, for example without the schema
   */
  validate(cookie: string | undefined): Promise<Validation>
  /**
   * As `validate`, but returns the result at once if it is in the memory of this instance or in the
   * second cookie, and these are trusted.
   *
   * @throws SessionError `bad-argument`
   */
  validateNow(cookie: string | undefined): Validation | Promise<Validation>
  /** Sends all instances the changes of a transaction that may have ended sessions. */
  settle(options?: SettleOptions): Promise<Settlement>
  /** Ends one session, or all of a user. With `confirm: 'all'` no instance accepts them afterwards (S1). */
  revoke(target: RevokeTarget, options?: SettleOptions): Promise<Revocation>
  /** Replaces the token of a session. The old token is valid for 20 s; a later use revokes the session. */
  rotate(token: string): Promise<Rotation>
  /** Lists the live sessions of a user, the last used first, at most 100, without their tokens. */
  list(userId: string, options?: ListOptions): Promise<Device[]>
  /**
   * The cache for `cacheFigures` of `@repo/cache-broadcast`, whose `outages` counts the checks without
   * Redis. Undefined without a bus.
   */
  readonly cache: Pick<Cache<unknown>, 'name' | 'stats'> | undefined
  /** The clock of the database, by which credentials expire (S9). */
  readonly clock: DatabaseClock
  /** The trust in cached credentials on the bus (S4), also of other caches. Undefined without a bus. */
  readonly trust: Pick<Trust, 'holds' | 'regain' | 'renew'> | undefined
  /** Counts of this instance since its start, for `sessionFigures`. */
  stats(): SessionStats
  /** Calls `record` with the time of each check that reads a store, in seconds, from now on. */
  recordTimes(record: (seconds: number) => void): void
  /** The outbox of the revocations, which `sessionFigures` contains. Undefined without a bus. */
  readonly outbox: Pick<Outbox, 'backlog'> | undefined
  /** Counts a sign-in. */
  noteLogin(): void
  /** Reads the figures of all instances, or of this one. While Redis is unavailable `scope` is `instance`. */
  observability(options?: { scope?: 'cluster' | 'instance' }): Promise<Observability>
  /**
   * Waits until cached sessions are trusted, for at most `timeoutMs`, and prepares the statements of a
   * check on the open connections. Checks before that are correct too, and use PostgreSQL. It also
   * resolves if this instance has joined the bus and the outbox is not empty in time.
   *
   * @param timeoutMs an integer from 1 to 3,600,000; 2,000 by default
   * @throws CacheError `unavailable` if this instance has not joined the bus in time
   */
  ready(timeoutMs?: number): Promise<void>
  /**
   * The check for `/health`: resolves when sessions may be read from memory and Redis. While only
   * PostgreSQL is used it rejects, with the error of Redis as its cause if there was one.
   */
  check(): Promise<void>
  /** Writes pending last-seen times and figures. The owner closes the bus, the database and Redis. */
  close(): Promise<void>
}
