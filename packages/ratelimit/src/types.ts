import type { Dimensions } from './dimensions.ts'
import type { ParsedPolicies, Policy } from './policy.ts'
import type { Limit, Report } from './store.ts'

/** What a request is told. */
export interface Decision {
  /**
   * `limited`: a policy's quota is used up, or the key is blocked: 429. `unavailable`: nobody can
   * say, because Redis does not answer, and a policy does not let it pass: 503, never 429.
   */
  readonly outcome: 'allowed' | 'limited' | 'unavailable'
  /** The policies that apply, as they stand; after a refusal from memory only those that refused. */
  readonly limits: readonly Limit[]
  /** The policies that refused. */
  readonly violated: readonly string[]
  /** The shadow policies that would have refused. */
  readonly shadowed: readonly string[]
  /** Until the same may pass; 0 when it did, Infinity when it never will. */
  readonly retryAfterMs: number
  /** Made without Redis: not exact across instances. */
  readonly degraded: boolean
  /** Where it was decided; `policy`: by the policies alone, nothing had to be counted. */
  readonly source: 'redis' | 'memory' | 'deny-cache' | 'lease' | 'local' | 'policy'
  /** Gives back what `concurrency` policies hold; for all others it does nothing. Never rejects. */
  readonly release: () => Promise<void>
}

export interface TakeOptions {
  /** Units to take, instead of the policies' own: an integer of 0 or more. */
  cost?: number | undefined
  /** Quotas of this principal instead of the policies' own, by policy. */
  quotas?: Readonly<Record<string, number>> | undefined
}

/** Counts since the limiter was made. */
export interface LimiterStats {
  allowed: number
  limited: number
  unavailable: number
  /** Of the limited: those that cost no round trip. */
  fromDenyCache: number
  /** Of the allowed: those that cost no round trip, because their units had been leased. */
  fromLease: number
  degraded: number
  denyCacheKeys: number
  /** Whether Redis is used at this moment. */
  exact: boolean
}

/** Of whom: the dimensions of a request, or an identifier as `report` names it. */
export type Subject = Dimensions | string

/**
 * Limits that all instances share. `take` and `peek` always answer with a decision; they reject with
 * RateLimitError only for what the caller got wrong: `unknown-policy`, `bad-cost`, `bad-quota`,
 * `closed`. The others reject with `unavailable` when Redis does not answer.
 */
export interface RateLimiter {
  /** Counts a request under all policies, or under none when one of them refuses. */
  take(policies: readonly string[], of: Subject, options?: TakeOptions): Promise<Decision>
  /** What `take` would say, without counting. */
  peek(policies: readonly string[], of: Subject, options?: TakeOptions): Promise<Decision>
  /** Takes units without asking, also beyond the quota: for failed sign-ins and costs known later. */
  penalize(policies: readonly string[], of: Subject, cost: number): Promise<Decision>
  /** Gives units back; a count never falls below 0. */
  reward(policies: readonly string[], of: Subject, cost: number): Promise<Decision>
  /** Forgets counts and blocks. When it resolves, no instance refuses because of them. */
  reset(policies: readonly string[], of: Subject): Promise<void>
  /** Refuses everything for so long, on every instance, also while Redis is away. */
  block(policies: readonly string[], of: Subject, forMs: number): Promise<void>
  unblock(policies: readonly string[], of: Subject): Promise<void>
  /** What the cluster did in the last minutes (at most 60), and who is blocked. */
  report(options?: { minutes?: number; top?: number }): Promise<Report>
  /** Replaces the policies from now on; with a fault in any of them the old ones stay in force. */
  setPolicies(source: unknown): ParsedPolicies
  policies(): readonly Policy[]
  stats(): LimiterStats
  /** Ends timers and subscriptions, and gives leases back; the connection and the bus stay. */
  close(): Promise<void>
}
