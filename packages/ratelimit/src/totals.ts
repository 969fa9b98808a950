import type { Decision } from './types.ts'

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
