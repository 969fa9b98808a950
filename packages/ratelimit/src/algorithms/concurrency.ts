import type { AlgorithmLua, Counter } from './algorithm.ts'

/**
 * At most so many at a time: each holder has a lease that it renews while it lives.
 *
 * State: a zset of lease -> when it ends (ms).
 */
export const concurrencyLua: AlgorithmLua = {
  kind: 4,
  prepare: '',
  read: /* lua */ `
    call('ZREMRANGEBYSCORE', KEYS[k + 1], '-inf', now)
    used[k] = call('ZCARD', KEYS[k + 1])
  `,
  charge: /* lua */ `
    if lease ~= '' then
      call('ZADD', KEYS[k + 1], now + window, lease)
      -- A holder under a policy with a longer window keeps its place.
      if used[k] > 0 then call('PEXPIRE', KEYS[k + 1], window + 1000, 'GT')
      else call('PEXPIRE', KEYS[k + 1], window + 1000) end
      used[k] = used[k] + 1
    end
  `,
  retry: /* lua */ `
    wait = min(window, 1000)
  `,
  settle: '',
  // A lease may be given back at any time, and none is longer than this unless it is renewed.
  finish: /* lua */ `
    reset = used[k] > 0 and window or 0
    refill = min(reset, 1000)
  `,
}

/** Holders of a concurrency limit; `release` and `renew` are for the store. */
export interface Holders extends Counter {
  /** How long the next holder has its place. */
  windowMs: number
  release(lease: string): void
  renew(lease: string, untilMs: number): void
}

export function createHoldersCounter(): Holders {
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

export function isHolders(counter: Counter | undefined): counter is Holders {
  return counter !== undefined && 'renew' in counter
}
