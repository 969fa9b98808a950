import type { Policy } from './policy.ts'

/** One policy's part of a check: a cost, and the count that it is charged to. */
export interface Need {
  /** The subject, such as `tf:{rl}:api-user:ada`. Counts of all shapes have the same subject. */
  readonly key: string
  /** The name of the count in two parts: the prefix of the policy's counts, and the identifier. */
  readonly prefix: string
  readonly id: string
  readonly policy: Policy
  readonly quota: number
  readonly cost: number
  /** The outcomes of the policy on this instance. */
  readonly counts: PolicyCounts
}

/** The number of takes by outcome. A shadow policy counts the outcome that it would have had. */
interface Counts {
  allowed: number
  limited: number
  unavailable: number
}

/** The counts of a policy on one instance, from its first use to now. */
export interface PolicyCounts extends Counts {
  /** The part of `limited` that the policy alone refused: a denied identifier, or a cost over the quota. */
  denied: number
  /** The part of `limited` that the policy did not refuse, because it was a shadow at that time. */
  shadowed: number
  /** The part that the activity of the cluster contains. */
  readonly reported: Counts
}

/**
 * A question to a store. Either all needs are charged or none (R3).
 * - `take` charges every need if all of them fit, and otherwise none.
 * - `peek` charges nothing and returns whether a take would be allowed.
 * - `force` charges without a test. Its cost may be negative.
 */
export interface Check {
  readonly kind: 'take' | 'peek' | 'force'
  readonly needs: readonly Need[]
  /** The id of the holder of a concurrency slot; '' when no policy is a `concurrency` policy. */
  readonly holder: string
  /** The number of takes of one need. They are admitted until one does not fit. Otherwise 1. */
  readonly times: number
}

/** The state of a count after a check. */
export interface Limit {
  readonly policy: string
  readonly quota: number
  readonly windowMs: number
  readonly algorithm: Policy['algorithm']
  /** True if the policy only counts and never refuses. */
  readonly shadow: boolean
  /** Whole units that are left. */
  readonly remaining: number
  /** The ms until more is left, if nothing else is taken; 0 when the whole quota is left. */
  readonly refillMs: number
  /** The ms until the whole quota is left, if nothing else is taken. */
  readonly resetMs: number
  /** The ms until this cost may fit; 0 if it fits, Infinity if it never will. */
  readonly retryMs: number
}

/** The reply of a store to a check. */
export interface Verdict {
  /** The number of takes that were admitted. For a peek: 1 if a take would be allowed. */
  readonly admitted: number
  readonly limits: Limit[]
}

/** A check and the receivers of its outcome. Exactly one of them is called, once. */
export interface PendingCheck {
  readonly check: Check
  /** `sentAtMs` is a time before the check was sent, on the monotonic clock of this process. */
  readonly onVerdict: (verdict: Verdict, sentAtMs: number) => void
  /** The store did not reply: the outcome is unknown. */
  readonly onError: (error: unknown) => void
}

/** Counts limits. `keys` are subjects: a call applies to their counts of all shapes (R12). */
export interface Store {
  check(pending: PendingCheck): void
  /** Gives the costs of the needs back on the counts of all other shapes. */
  rewardOthers(needs: readonly Need[]): Promise<void>
  /** Deletes counts and blocks. */
  reset(keys: readonly string[]): Promise<void>
  /** Refuses all takes of the keys for `ms`; 0 ends a block. */
  block(keys: readonly string[], ms: number): Promise<void>
  /** Frees concurrency slots. */
  release(keys: readonly string[], holder: string): Promise<void>
  /** Prolongs the lease of concurrency slots by the policy's window, unless it has ended. */
  renew(keys: readonly string[], holder: string, windowMs: number): Promise<void>
  /** Adds to the activity of the cluster. */
  addActivity(activity: ActivityTotals): Promise<void>
  /** The activity of the cluster in the last minutes. */
  report(minutes: number, top: number): Promise<Report>
}

/** The activity of one instance since its last report. */
interface ActivityTotals {
  /** `<policy>|<allowed, limited or unavailable>` -> the number of takes. */
  readonly totals: ReadonlyMap<string, number>
  /** A subject -> the number of its refusals. */
  readonly limited: ReadonlyMap<string, number>
}

/** The activity of the whole cluster. */
export interface Report {
  readonly policies: ({ policy: string } & Counts)[]
  /** The identifiers with the most refusals, in descending order. */
  readonly limited: { policy: string; id: string; count: number }[]
  readonly blocked: { policy: string; id: string; endsInMs: number }[]
}
