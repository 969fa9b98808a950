/** Counts that are known to refuse; times are this process's monotonic ms. */
export interface DenyCache {
  /** The ms for which a take of this cost and quota is still refused; 0 when nobody knows. */
  refusedMs(key: string, cost: number, quota: number, nowMs: number): number
  /** Remembers a refusal, unless something was forgotten since `mark` was read. */
  put(key: string, refusal: Refusal, mark: number): void
  /** Forgets, so that the next take asks the store; without keys, everything. */
  forget(keys?: readonly string[]): void
  /** Goes up whenever something is forgotten: a refusal from before that may be no longer true. */
  readonly mark: number
  readonly size: number
}

interface Refusal {
  readonly untilMs: number
  /** A take of less, or of a higher quota, may pass. */
  readonly cost: number
  readonly quota: number
}

/**
 * Two generations of half the size each: when the younger one is full the older one is dropped, so
 * that a flood of keys costs the same as one, and what is asked for stays. With 0 nothing is kept.
 */
export function createDenyCache(maxKeys: number): DenyCache {
  const half = Math.max(1, Math.floor(maxKeys / 2))
  let young = new Map<string, Refusal>()
  let old = new Map<string, Refusal>()
  let mark = 0

  function keep(key: string, refusal: Refusal) {
    if (young.size >= half && !young.has(key)) {
      old = young
      young = new Map()
    }
    young.set(key, refusal)
  }

  return {
    refusedMs(key, cost, quota, nowMs) {
      if (young.size === 0 && old.size === 0) return 0
      let known = young.get(key)
      if (!known) {
        known = old.get(key)
        if (!known) return 0
        if (known.untilMs > nowMs) keep(key, known)
        old.delete(key)
      }
      if (known.untilMs <= nowMs) {
        young.delete(key)
        return 0
      }
      return cost >= known.cost && quota <= known.quota ? known.untilMs - nowMs : 0
    },
    put(key, refusal, since) {
      if (since !== mark || maxKeys === 0) return
      const known = young.get(key)
      if (known && known.untilMs > refusal.untilMs) return
      keep(key, refusal)
    },
    forget(keys) {
      mark += 1
      if (!keys) {
        young = new Map()
        old = new Map()
      }
      for (const key of keys ?? []) {
        young.delete(key)
        old.delete(key)
      }
    },
    get mark() {
      return mark
    },
    get size() {
      return young.size + old.size
    },
  }
}
