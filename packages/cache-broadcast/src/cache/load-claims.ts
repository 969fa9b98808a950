import { createRenewedLeases } from '@repo/concurrency'
import { chunksOf } from '../chunks.ts'
import type { Store } from '../link.ts'

interface Claim {
  key: string
  token: string
}

/** Keys of one script, and scripts in flight: more would occupy Redis for others. */
const KEYS = 64
const SCRIPTS = 4

/**
 * Prolongs the claims of loads that take longer, so that nobody else loads the same as long as
 * this process lives (I6). A load that ends before the first turn costs nothing.
 */
export function createClaims(store: Store, claimMs: number, onError: () => void) {
  const leases = createRenewedLeases<Claim>({
    task: 'cache.renew-claims',
    async renew(claims) {
      for (const chunks of chunksOf(chunksOf([...claims], KEYS), SCRIPTS)) {
        // If it fails, the claims end: others load the values too.
        await Promise.all(chunks.map((chunk) => store.extend(chunk).catch(onError)))
      }
    },
  })

  return {
    /** Returns how to stop prolonging the claim. */
    hold: (key: string, token: string) => leases.hold({ key, token }, claimMs),
  }
}
