import type { Database } from '@repo/database'

/** A transaction of `@repo/database`. */
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0]

/** The right to run one request once. It ends with its lease unless it is renewed. */
export interface Claim {
  /** SHA-256 of scope and key (base64url, 43 characters): no store receives a key. */
  readonly id: string
  /** SHA-256 of the request (base64url, 43 characters). */
  readonly fingerprint: string
  /** 128 random bits (base64url, 22 characters): the fencing token of this attempt. */
  readonly token: string
}

/**
 * The result of a claim.
 * - `claimed`: the caller runs the request. `attempt` counts claims of the key: above 1 the lease of
 *   an earlier holder has ended.
 * - `completed`: the record of the response of an earlier attempt with the same fingerprint.
 * - `pending`: another holder runs the request. Its lease ends after `retryAfterMs` at the latest.
 * - `mismatch`: the key belongs to another request, whether it runs or is completed.
 */
export type Begun =
  | { readonly outcome: 'claimed'; readonly attempt: number }
  | { readonly outcome: 'completed'; readonly record: Buffer }
  | { readonly outcome: 'pending'; readonly retryAfterMs: number }
  | { readonly outcome: 'mismatch' }

/**
 * The result of a completion.
 * - `stored`: the record is stored.
 * - `healed`: it is stored, although the store had lost the claim.
 * - `completed`: refused, because the record of another holder is stored.
 * - `lost`: refused, because another holder has the claim.
 */
export type Completed =
  | { readonly outcome: 'stored' | 'healed' }
  | { readonly outcome: 'completed'; readonly record: Buffer }
  | { readonly outcome: 'lost' }

/** Stores claims and records. Every decision is one script or one statement, by the clock of the store. */
export interface IdempotencyStore {
  readonly name: 'redis' | 'postgres' | 'tiered' | 'memory'
  /** Whether a completed record outlives the loss of all data in Redis. */
  readonly isDurable: boolean
  /** Whether work must commit by `transaction`. Then `complete` rejects with `no-transaction`. */
  readonly needsTransaction: boolean
  /** The store itself releases a claim whose `begin` was not decided. Otherwise its caller does. */
  readonly withdraws?: boolean
  /** @throws IdempotencyError `unavailable`, `defect`, `unknown-format` */
  begin(claim: Claim, leaseMs: number): Promise<Begun>
  /** Stores the record for `ttlMs`, unless the claim belongs to another holder. */
  complete(claim: Claim, record: Buffer, ttlMs: number): Promise<Completed>
  /** Deletes the claim, so that the next attempt runs. A claim of another holder stays. */
  release(claim: Claim): Promise<void>
  /** Prolongs the claims to `leaseMs` from now. Returns those that belong to another holder. */
  renew(claims: readonly Claim[], leaseMs: number): Promise<readonly Claim[]>
  /** The results of steps of earlier attempts of the key, as JSON by name. */
  readSteps(claim: Claim): Promise<ReadonlyMap<string, string>>
  /** Stores the result of a step. @throws IdempotencyError `lost` */
  writeStep(claim: Claim, step: string, json: string): Promise<void>
  /**
   * Runs the work in a transaction that also stores its record: both commit, or neither does.
   * Undefined: the store has no transactions. Where the claim is a lock of the transaction, PostgreSQL
   * ends one that is idle for longer than `leaseMs`.
   *
   * @throws the error of the work, after a rollback
   */
  transaction?<T>(
    claim: Claim,
    times: { readonly leaseMs: number; readonly ttlMs: number },
    work: (tx: Transaction) => Promise<{ readonly record: Buffer; readonly result: T }>,
  ): Promise<
    | { readonly outcome: 'committed'; readonly result: T }
    | Exclude<Completed, { outcome: 'stored' | 'healed' }>
    | Extract<Begun, { outcome: 'pending' | 'mismatch' }>
  >
  /** Deletes at most `limit` expired records, and returns their number. Undefined: the store expires them. */
  sweep?(limit: number): Promise<number>
  /** Rejects if the store cannot decide, for the health of an instance. */
  check(): Promise<void>
}
