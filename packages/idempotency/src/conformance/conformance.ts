import { describe } from 'vitest'
import { describeClaims } from './claims.ts'
import { type OpenStore, opening, type StoreTraits } from './open.ts'
import { describeRecords } from './records.ts'
import { describeSteps } from './steps.ts'
import { describeTransactions } from './transactions.ts'

export type { OpenedStore, OpenStore, StoreTraits } from './open.ts'

/**
 * The tests that every store must pass. Call it in a test file with the name of the driver, a function
 * that opens a store, and the traits of the store.
 */
export function describeConformance(
  driver: string,
  openStore: OpenStore,
  traits: StoreTraits,
): void {
  describe(`an idempotency store in ${driver}`, () => {
    const open = opening(openStore)
    describeRecords(open, traits)
    if (traits.claims === 'leases') describeClaims(open, traits)
    if (traits.claims === 'leases') describeSteps(open)
    if (traits.hasTransactions) describeTransactions(open, traits)
  })
}
