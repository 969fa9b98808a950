import type { Counter } from './counter.ts'

const PARTS = 16

/** The strict sliding window of `sliding-lua.ts`, in memory. */
export function createSliding(windowMs: number): Counter {
  const partMs = windowMs / PARTS
  /** Newest first, at most 17; when each was last hit in 255ths of it, rounded up. */
  let entries: { count: number; last: number }[] = []
  let bucket = 0

  function leavesAtMs(i: number): number {
    return (bucket - i + (entries[i]?.last ?? 0) / 255) * partMs + windowMs
  }

  function trim() {
    while (entries.length > 1 && entries.at(-1)?.count === 0) entries.pop()
  }

  function advance(nowMs: number) {
    const current = Math.floor(nowMs / partMs)
    const steps = current - bucket
    if (steps > PARTS || entries.length === 0) {
      entries = [{ count: 0, last: 0 }]
      bucket = current
    } else if (steps > 0) {
      const empty = Array.from({ length: steps }, () => ({ count: 0, last: 0 }))
      entries = [...empty, ...entries].slice(0, PARTS + 1)
      bucket = current
    }
    // The oldest is only partly in the window.
    if (entries.length > PARTS && leavesAtMs(PARTS) <= nowMs) entries.pop()
    trim()
  }

  function used(nowMs: number): number {
    advance(nowMs)
    return entries.reduce((sum, { count }) => sum + count, 0)
  }

  return {
    used,
    charge(nowMs, amount) {
      const newest = entries[0]
      if (!newest) return
      if (amount > 0) {
        newest.count += amount
        const last = Math.ceil(((nowMs - bucket * partMs) / partMs) * 255)
        newest.last = Math.max(newest.last, Math.min(255, last))
        return
      }
      let back = -amount
      for (const entry of entries) {
        const n = Math.min(back, entry.count)
        entry.count -= n
        back -= n
      }
      trim()
    },
    times(nowMs) {
      const newest = entries.findIndex(({ count }) => count > 0)
      return {
        refillMs: leavesAtMs(entries.length - 1) - nowMs,
        resetMs: leavesAtMs(newest) - nowMs,
      }
    },
    retryMs(nowMs, cost, quota) {
      let over = used(nowMs) + cost - quota
      for (let i = entries.length - 1; i > 0; i -= 1) {
        over -= entries[i]?.count ?? 0
        if (over <= 0) return leavesAtMs(i) - nowMs
      }
      return leavesAtMs(0) - nowMs
    },
    endsAtMs: () => (bucket + PARTS + 1) * partMs,
  }
}
