import type { Settlement } from '@repo/session'

/** The response header with the number of instances that have applied the end of sessions. */
export const SETTLEMENT_HEADER = 'x-session-settlement'

/** `confirmed; instances=3; acked=3; lapsed=0; ms=4.2`, `sent; ms=2.1` or `pending; ms=251`. */
export function describeSettlement(settlement: Settlement): string {
  const { outcome, ...figures } = settlement
  const parameters = Object.entries(figures).map(([name, value]) => `; ${name}=${value}`)
  return outcome + parameters.join('')
}
