import type { AlgorithmLua, Counter } from './algorithm.ts'

/**
 * At most the quota at a time. Each holder has a slot with a lease, which it renews. The slot of a
 * holder that died is free again within the window (R10).
 *
 * State: a zset of holder -> the end of its lease (ms).
 */
export const concurrencyLua: AlgorithmLua = {
  kind: 4,
  prepare: '',
  read: /* lua */ `
    call('ZREMRANGEBYSCORE', KEYS[k + 1], '-inf', now)
    used[k] = call('ZCARD', KEYS[k + 1])
  `,
  charge: /* lua */ `
    if holder ~= '' then
      call('ZADD', KEYS[k + 1], now + window, holder)
      -- A holder under a policy with a longer window keeps its slot.
      if used[k] > 0 then call('PEXPIRE', KEYS[k + 1], window + 1000, 'GT')
      else call('PEXPIRE', KEYS[k + 1], window + 1000) end
      used[k] = used[k] + 1
    end
  `,
  retry: /* lua */ `
    wait = min(window, 1000)
  `,
  settle: '',
  // A slot may be released at any time, and its lease is no longer than this unless it is renewed.
  finish: /* lua */ `
    reset = used[k] > 0 and window or 0
    refill = min(reset, 1000)
  `,
}

/** The holders of a concurrency limit. */
export interface Holders extends Counter {
  /** The lease of the next holder. */
  windowMs: number
  release(holder: string): void
  renew(holder: string, untilMs: number): void
}

export function createHoldersCounter(): Holders {
  const holders = new Map<string, number>()
  return {
    windowMs: 0,
    used(nowMs) {
      for (const [holder, untilMs] of holders) if (untilMs <= nowMs) holders.delete(holder)
      return holders.size
    },
    charge(nowMs, _amount, holder) {
      if (holder !== '') holders.set(holder, nowMs + this.windowMs)
    },
    times() {
      return { refillMs: Math.min(this.windowMs, 1_000), resetMs: this.windowMs }
    },
    retryMs() {
      return Math.min(this.windowMs, 1_000)
    },
    endsAtMs: () => Math.max(0, ...holders.values()),
    release: (holder) => void holders.delete(holder),
    renew(holder, untilMs) {
      if (holders.has(holder)) holders.set(holder, untilMs)
    },
  }
}

export function isHolders(counter: Counter | undefined): counter is Holders {
  return counter !== undefined && 'renew' in counter
}
