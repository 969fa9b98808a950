import type { Limit, Need } from '../store.ts'
import type { Lent, QuotaLeases } from './quota-blocks.ts'

/** A request of which some needs were met from leases. */
export interface Lending {
  /** What the store has to be asked for. */
  readonly rest: readonly Need[]
  /** The limits of all needs in their order, when the store told those of the rest. */
  readonly merge: (limits: readonly Limit[]) => Limit[]
  /** The request was refused, and is charged nowhere. */
  readonly putBack: () => void
}

/** Meets the needs that leases can meet; undefined when there are none. */
export function lend(quotaLeases: QuotaLeases, needs: readonly Need[]): Lending | undefined {
  const [only] = needs
  if (only && needs.length === 1) {
    const met = quotaLeases.take(only)
    return met && { rest: [], merge: () => [met.limit], putBack: met.putBack }
  }
  const lent = needs.map((need) => quotaLeases.take(need))
  if (!lent.some(Boolean)) return undefined
  return {
    rest: needs.filter((_, i) => !lent[i]),
    merge(limits) {
      const told = limits.values()
      return lent.flatMap((met: Lent | undefined) => met?.limit ?? told.next().value ?? [])
    },
    putBack() {
      for (const met of lent) met?.putBack()
    },
  }
}
