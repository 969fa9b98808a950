import type { Cache } from '@repo/cache-broadcast'
import type { Device, ListOptions } from './devices.ts'
import type { Observability } from './metrics/observability.ts'
import type { Revocation, RevokeTarget } from './revoke/revoke.ts'
import type { Rotation } from './revoke/rotate.ts'
import type { Settlement, SettleOptions } from './revoke/settle.ts'
import type { Validation } from './validate.ts'

/**
 * Sessions of one instance. What reads or writes PostgreSQL throws what `isDatabaseUnavailable` of
 * `@repo/database` knows when it is away; only `validate` and `settle` answer instead. An argument
 * that is not valid is a SessionError `bad-argument` that names it, before any store is used.
 */
export interface Sessions {
  /**
   * Who the caller is, from the `Cookie` header. What was revoked is accepted by no instance that
   * hears the bus once it has heard of it, and by no other one after 1.5 s.
   * @throws what PostgreSQL says when it refuses the query, as when the schema is not there
   */
  validate(cookie: string | undefined): Promise<Validation>
  /** Call it after a transaction that may have ended sessions: every instance is told at once. */
  settle(options?: SettleOptions): Promise<Settlement>
  /** Ends one session, or all of a user. With `confirm: 'all'` no instance accepts them afterwards. */
  revoke(target: RevokeTarget, options?: SettleOptions): Promise<Revocation>
  /** Gives a session a new token; the old one is good for 20 s, and revokes it if it comes later. */
  rotate(token: string): Promise<Rotation>
  /** The sessions of a user that are alive, the last seen first, at most 100; never a token. */
  list(userId: string, options?: ListOptions): Promise<Device[]>
  /**
   * For `cacheFigures` of `@repo/cache-broadcast`, whose `outages` counts checks that did without
   * Redis; undefined without a bus.
   */
  readonly cache: Pick<Cache<unknown>, 'name' | 'stats'> | undefined
  /** Counts a sign-in. */
  noteLogin(): void
  /** What was counted by all instances, or by this one: also where Redis is away, which it says. */
  observability(options?: { scope?: 'cluster' | 'instance' }): Promise<Observability>
  /**
   * Waits until what is cached may be believed, at most that long, and prepares the statements of a
   * check on the connections that are open. Checks are right before it too.
   */
  ready(timeoutMs?: number): Promise<void>
  /**
   * For `/health`: resolves when checks may use memory and Redis. While they use PostgreSQL alone it
   * rejects, with the answer of Redis as its cause where there was one.
   */
  check(): Promise<void>
  /** Writes what is left to write; leaves bus, database and Redis to their owner. */
  close(): Promise<void>
}
