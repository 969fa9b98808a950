import type { Dimensions } from './dimensions.ts'
import type { ParsedPolicies, Policy } from './policy.ts'
import type { Limit, Report } from './store.ts'

/** The result of `take` and `peek`. */
export interface Decision {
  /**
   * - `limited`: a quota is used up, or the key is blocked: 429.
   * - `unavailable`: Redis is unavailable and a policy does not allow the request without it: 503,
   *   never 429 (R6).
   */
  readonly outcome: 'allowed' | 'limited' | 'unavailable'
  /** The policies that apply. A refusal from memory lists only the policies that refuse. */
  readonly limits: readonly Limit[]
  /** The policies that refuse. */
  readonly violated: readonly string[]
  /** The shadow policies that would have refused. */
  readonly shadowed: readonly string[]
  /** The ms until the same take may be allowed; 0 if it was, Infinity if it never will be. */
  readonly retryAfterMs: number
  /** True if the decision was made without Redis. Then it is not exact across instances. */
  readonly degraded: boolean
  /** Where the decision was made. `policy`: by the policies alone, nothing had to be counted. */
  readonly source: 'redis' | 'memory' | 'deny-cache' | 'lease' | 'local' | 'policy'
  /** Frees the slots of `concurrency` policies; for others it does nothing. Never rejects. */
  readonly release: () => Promise<void>
}

export interface TakeOptions {
  /** Units to take in place of the costs of the policies: an integer of 0 or more. */
  cost?: number | undefined
  /** Quotas of this caller in place of those of the policies, by policy name. */
  quotas?: Readonly<Record<string, number>> | undefined
}

/** Totals since the limiter was created. */
export interface LimiterStats {
  allowed: number
  limited: number
  unavailable: number
  /** Limited takes that cost no round trip. */
  fromDenyCache: number
  /** Allowed takes that cost no round trip, because their units were in a quota block. */
  fromLease: number
  degraded: number
  denyCacheKeys: number
  /** Whether Redis is in use now. */
  exact: boolean
}

/** The takes under one policy on this instance, by the decision of the policy. */
export interface PolicyDecisions {
  policy: string
  allowed: number
  /** The quota was used up, or the identifier is blocked. */
  limited: number
  /** The policy never allows this take: a denied identifier, or a cost over the quota. */
  denied: number
  /** Refused because Redis was unavailable. */
  unavailable: number
  /** A shadow policy would have refused. */
  shadowed: number
}

/** The dimensions of a request, or an identifier from a report. */
export type Subject = Dimensions | string

/** A bus that delivers an event to every instance, such as the one of `@repo/cache-broadcast`. */
export interface LimiterBus {
  /** Sends an event to all instances. With `wait: 'everywhere'`, resolves when all have applied it. */
  emit(event: string, data: unknown, options?: { wait: 'everywhere' }): Promise<unknown>
  /** Calls `handler` for each event, and `onResync` when events may have been missed. */
  on(
    event: string,
    handler: (data: unknown) => void,
    subscription?: { onResync: () => void },
  ): () => void
  /** `leaseMsLeft` is 0 when this instance may have missed events. */
  health(): { leaseMsLeft: number }
}

/**
 * Limits that all instances share. `take` and `peek` resolve to a decision. They reject with
 * RateLimitError only for a mistake of the caller: `unknown-policy`, `bad-cost`, `bad-quota`,
 * `bad-argument`, `closed`. The other methods reject with `unavailable` when Redis is unavailable.
 */
export interface RateLimiter {
  /** Counts a request under all policies, or under none if one of them refuses. */
  take(policies: readonly string[], subject: Subject, options?: TakeOptions): Promise<Decision>
  /**
   * As `take`, but returns the decision at once if this instance makes it: by the policies, the deny
   * cache, a quota block, or without Redis. The request is counted once in both cases.
   * @throws RateLimitError for a mistake of the caller
   */
  takeNow(
    policies: readonly string[],
    subject: Subject,
    options?: TakeOptions,
  ): Decision | Promise<Decision>
  /** Returns what `take` would return, and counts nothing. */
  peek(policies: readonly string[], subject: Subject, options?: TakeOptions): Promise<Decision>
  /** Takes units without a test, also beyond the quota: for failed sign-ins and late costs. */
  penalize(policies: readonly string[], subject: Subject, cost: number): Promise<Decision>
  /** Gives units back. A count never falls below 0. */
  reward(policies: readonly string[], subject: Subject, cost: number): Promise<Decision>
  /** Deletes counts and blocks. When it resolves, no instance refuses because of them (R7). */
  reset(policies: readonly string[], subject: Subject): Promise<void>
  /** Refuses all takes for `forMs` on every instance, also while Redis is unavailable. */
  block(policies: readonly string[], subject: Subject, forMs: number): Promise<void>
  unblock(policies: readonly string[], subject: Subject): Promise<void>
  /** The activity of the cluster in the last minutes (at most 60), and the blocked identifiers. */
  report(options?: { minutes?: number; top?: number }): Promise<Report>
  /** Replaces the policies from the next take on. A fault in one of them changes nothing (R9). */
  setPolicies(source: unknown): ParsedPolicies
  policies(): readonly Policy[]
  stats(): LimiterStats
  /** The takes under each policy in force, since its first use on this instance. */
  decisions(): PolicyDecisions[]
  /** Ends timers and subscriptions, and frees slots. The connection and the bus stay open. */
  close(): Promise<void>
}
