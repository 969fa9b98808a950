import type { Policy } from './policy.ts'

/** One dimension of a check: what it costs of which count. */
export interface Need {
  /** The subject: the same for counts of all shapes. */
  readonly key: string
  /** The two parts of the count's name: one for all counts of the policy, and the identifier. */
  readonly prefix: string
  readonly id: string
  readonly policy: Policy
  readonly quota: number
  readonly cost: number
  /** What the policy did on this instance since it last said so. */
  readonly counts: Counts
}

/** How often a policy said what; a shadow policy what it would have said. */
export interface Counts {
  allowed: number
  limited: number
  unavailable: number
}

/**
 * What is asked of a store, all of it or nothing.
 * - `take` charges every need if all fit, else none.
 * - `peek` charges nothing and says whether a take would be allowed.
 * - `force` charges without asking, also less than nothing.
 */
export interface Check {
  readonly kind: 'take' | 'peek' | 'force'
  readonly needs: readonly Need[]
  /** The holder's id where a need is of `concurrency`, else ''. */
  readonly lease: string
  /** So many takes of one need, of which as many as fit are admitted; of all else 1. */
  readonly times: number
}

/** How a count stands after a check. */
export interface Limit {
  readonly policy: string
  readonly quota: number
  readonly windowMs: number
  readonly algorithm: Policy['algorithm']
  /** Refuses nobody. */
  readonly shadow: boolean
  /** Whole units that are left. */
  readonly remaining: number
  /** Until more is left, and until all of the quota is, if nothing else is taken; 0 when all is. */
  readonly refillMs: number
  readonly resetMs: number
  /** Until this cost may fit; 0 when it did, Infinity when it never will. */
  readonly retryMs: number
}

/** A store's answer to a check. */
export interface Verdict {
  /** How many of the takes; of a peek whether one would be. */
  readonly admitted: number
  readonly limits: Limit[]
}

/** A check on its way, and who is told how it ended, once. */
export interface Asked {
  readonly check: Check
  /** By this process's monotonic clock it had not been sent before `sentAtMs`. */
  readonly answered: (verdict: Verdict, sentAtMs: number) => void
  /** The store did not answer: the outcome is unknown. */
  readonly unanswered: (error: unknown) => void
}

/** Where limits are counted. `keys` are subjects: their counts of all shapes are meant. */
export interface Store {
  ask(asked: Asked): void
  /** Gives back what a need has as its cost, on counts of all shapes but that of its policy. */
  rewardOthers(needs: readonly Need[]): Promise<void>
  /** Forgets counts and blocks. */
  reset(keys: readonly string[]): Promise<void>
  /** Refuses everything on the keys for so long; 0 ends it. */
  block(keys: readonly string[], ms: number): Promise<void>
  /** Gives a lease back. */
  release(keys: readonly string[], lease: string): Promise<void>
  /** Prolongs a lease by its policy's window, unless it has ended. */
  renew(keys: readonly string[], lease: string, windowMs: number): Promise<void>
  /** Adds to the cluster's counts of what happened. */
  note(activity: Activity): Promise<void>
  /** What happened in the cluster in the last minutes. */
  report(minutes: number, top: number): Promise<Report>
}

/** What an instance did since it last said so. */
interface Activity {
  /** `<policy>|<allowed, limited or unavailable>` -> how many. */
  readonly totals: ReadonlyMap<string, number>
  /** A subject -> how often it was refused. */
  readonly limited: ReadonlyMap<string, number>
}

/** What the whole cluster did. */
export interface Report {
  readonly policies: ({ policy: string } & Counts)[]
  /** Who was refused most, most first. */
  readonly limited: { policy: string; id: string; count: number }[]
  readonly blocked: { policy: string; id: string; endsInMs: number }[]
}
