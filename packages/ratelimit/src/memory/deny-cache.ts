import { createTwoGenerationMap } from '@repo/concurrency'

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

/** A flood of keys costs the same as one, and what is asked for stays. With 0 nothing is kept. */
export function createDenyCache(maxKeys: number): DenyCache {
  const refusals = createTwoGenerationMap<Refusal>(maxKeys)
  let mark = 0

  return {
    refusedMs(key, cost, quota, nowMs) {
      const known = refusals.get(key)
      if (!known) return 0
      if (known.untilMs <= nowMs) {
        refusals.delete(key)
        return 0
      }
      return cost >= known.cost && quota <= known.quota ? known.untilMs - nowMs : 0
    },
    put(key, refusal, since) {
      if (since !== mark || maxKeys === 0) return
      const known = refusals.get(key)
      if (known && known.untilMs > refusal.untilMs) return
      refusals.set(key, refusal)
    },
    forget(keys) {
      mark += 1
      if (!keys) refusals.clear()
      for (const key of keys ?? []) refusals.delete(key)
    },
    get mark() {
      return mark
    },
    get size() {
      return refusals.size
    },
  }
}
