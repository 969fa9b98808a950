import { noteFailure, retryInBackground } from '@repo/concurrency'
import { type ConnectionLog, isRedisOutage } from '@repo/redis'
import type { Claim } from '../store.ts'

const TASK = 'idempotency.withdraw'
/** The pauses between attempts: an attempt that is refused by the breaker costs nothing. */
const FIRST_PAUSE_MS = 100
const LAST_PAUSE_MS = 500
/** The limit of waiting claims. Above it a claim is dropped, and ends with its lease. */
const MAX_CLAIMS = 10_000
/** The number of claims that are withdrawn together. */
const MAX_AT_ONCE = 100

export interface WithdrawalsOptions {
  /** Withdraws a claim. It can run any number of times. */
  withdraw: (claim: Claim, leaseMs: number) => Promise<unknown>
  log: ConnectionLog | undefined
}

/**
 * Withdraws claims whose BEGIN had no reply, in the background, until Redis replies. So they do not
 * block their keys for a lease. The number of such claims is small, since nothing more is sent while
 * the breaker is open.
 *
 * @returns a function that adds a claim
 */
export function createWithdrawals({ withdraw, log }: WithdrawalsOptions) {
  const waiting = new Map<Claim, number>()
  let isRunning = false

  async function settle([claim, leaseMs]: [Claim, number]): Promise<void> {
    try {
      await withdraw(claim, leaseMs)
    } catch (error) {
      if (isRedisOutage(error)) throw error
      noteFailure(TASK, error, log)
    }
    waiting.delete(claim)
  }

  async function settleAll(): Promise<void> {
    while (waiting.size > 0) {
      const [first, ...others] = waiting.entries().take(MAX_AT_ONCE)
      // After an outage the breaker admits one call. Its success admits the others.
      if (first) await settle(first)
      await Promise.all(others.map(settle))
    }
    isRunning = false
  }

  return function add(claim: Claim, leaseMs: number): void {
    if (waiting.size >= MAX_CLAIMS) {
      noteFailure(TASK, new Error('too many claims wait for Redis: one is dropped'), log)
      return
    }
    waiting.set(claim, leaseMs)
    if (isRunning) return
    isRunning = true
    retryInBackground({
      task: TASK,
      work: settleAll,
      firstMs: FIRST_PAUSE_MS,
      lastMs: LAST_PAUSE_MS,
      log,
    })
  }
}
