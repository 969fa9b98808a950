import { noteFailure } from '@repo/concurrency'
import type { Rules } from './rules.ts'
import type { Store } from './store.ts'
import type { Decision } from './types.ts'

/** So many keys' refusals are told at a time. */
const MAX_KEYS = 200
const EVERY_MS = 1_000

/** Tells the cluster once a second what this instance did, if it did anything. */
export function createActivity({
  store,
  rules,
  available,
}: {
  store: Store
  rules: () => Rules
  available: () => boolean
}) {
  let limited = new Map<string, number>()
  let timer: NodeJS.Timeout | undefined

  async function flush() {
    clearTimeout(timer)
    timer = undefined
    if (!available()) return
    const told = limited
    limited = new Map()
    const totals = new Map<string, number>()
    for (const { policy, counts } of rules().all) {
      for (const what of ['allowed', 'limited', 'unavailable'] as const) {
        if (counts[what] === 0) continue
        totals.set(`${policy.name}|${what}`, counts[what])
        counts[what] = 0
      }
    }
    if (totals.size === 0) return
    // What could not be told is lost: these are figures for people, and no limit depends on them.
    await store.note({ totals, limited: told }).catch((error: unknown) => {
      noteFailure('ratelimit.activity', error)
    })
  }

  return {
    /** Something was counted. */
    touch() {
      if (timer !== undefined) return
      timer = setTimeout(() => void flush(), EVERY_MS)
      timer.unref()
    },
    refused(key: string) {
      const before = limited.get(key)
      if (before !== undefined || limited.size < MAX_KEYS) limited.set(key, (before ?? 0) + 1)
    },
    flush,
  }
}

/** What a limiter decided since it was made. */
export function createTotals() {
  return { allowed: 0, limited: 0, unavailable: 0, fromDenyCache: 0, fromLease: 0, degraded: 0 }
}

export function add(totals: ReturnType<typeof createTotals>, decision: Decision): void {
  totals[decision.outcome] += 1
  if (decision.degraded) totals.degraded += 1
  if (decision.source === 'deny-cache') totals.fromDenyCache += 1
  if (decision.source === 'lease') totals.fromLease += 1
}
