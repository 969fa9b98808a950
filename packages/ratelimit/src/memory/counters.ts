import type { Counter } from '../algorithms/counter.ts'
import { createSliding } from '../algorithms/sliding.ts'
import { countedMs, type Policy } from '../policy.ts'

/** A new count of the policy. */
export function createCounter(policy: Policy): Counter {
  const { algorithm, windowMs } = policy
  if (algorithm === 'sliding') return createSliding(countedMs(policy))
  if (algorithm === 'token-bucket') return createTokenBucket(windowMs)
  return algorithm === 'fixed' ? createFixed(windowMs) : createLeases()
}

function createTokenBucket(windowMs: number): Counter {
  let level = 0
  let atMs = 0
  let perMs = 1
  return {
    used(nowMs, quota) {
      perMs = quota / windowMs
      level = Math.max(0, level - Math.max(0, nowMs - atMs) * perMs)
      atMs = Math.max(atMs, nowMs)
      return level
    },
    charge(_nowMs, amount) {
      level = Math.max(0, level + amount)
    },
    times(_nowMs, quota) {
      const left = Math.max(0, Math.floor(quota - level + 1e-9))
      const resetMs = Math.min(level / perMs, 4_000_000_000)
      return { refillMs: Math.min((level - (quota - left - 1)) / perMs, resetMs), resetMs }
    },
    retryMs: (_nowMs, cost, quota) => (level + cost - quota) / perMs,
    endsAtMs: () => atMs + level / perMs,
  }
}

function createFixed(windowMs: number): Counter {
  let window = 0
  let count = 0
  return {
    used(nowMs) {
      const current = Math.floor(nowMs / windowMs)
      if (current > window) count = 0
      window = Math.max(window, current)
      return count
    },
    charge(_nowMs, amount) {
      count = Math.max(0, count + amount)
    },
    times(nowMs) {
      const leftMs = (window + 1) * windowMs - nowMs
      return { refillMs: leftMs, resetMs: leftMs }
    },
    retryMs: (nowMs) => (window + 1) * windowMs - nowMs,
    endsAtMs: () => (window + 1) * windowMs,
  }
}

/** Holders of a concurrency limit; `release` and `renew` are for the store. */
export interface Leases extends Counter {
  /** How long the next holder has its place. */
  windowMs: number
  release(lease: string): void
  renew(lease: string, untilMs: number): void
}

function createLeases(): Leases {
  const holders = new Map<string, number>()
  return {
    windowMs: 0,
    used(nowMs) {
      for (const [lease, untilMs] of holders) if (untilMs <= nowMs) holders.delete(lease)
      return holders.size
    },
    charge(nowMs, _amount, lease) {
      if (lease !== '') holders.set(lease, nowMs + this.windowMs)
    },
    times() {
      return { refillMs: Math.min(this.windowMs, 1_000), resetMs: this.windowMs }
    },
    retryMs() {
      return Math.min(this.windowMs, 1_000)
    },
    endsAtMs: () => Math.max(0, ...holders.values()),
    release: (lease) => void holders.delete(lease),
    renew(lease, untilMs) {
      if (holders.has(lease)) holders.set(lease, untilMs)
    },
  }
}

export function isLeases(counter: Counter | undefined): counter is Leases {
  return counter !== undefined && 'renew' in counter
}
