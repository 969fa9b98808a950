import { chunksOf } from './chunks.ts'
import type { Store } from './link.ts'

interface Standing {
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
  const standing = new Set<Standing>()
  let timer: NodeJS.Timeout | undefined
  let isProlonging = false

  async function prolong() {
    if (isProlonging) return
    if (standing.size === 0) {
      clearInterval(timer)
      timer = undefined
      return
    }
    isProlonging = true
    const all = [...standing]
    for (const chunks of chunksOf(chunksOf(all, KEYS), SCRIPTS)) {
      // If it fails, the claims end: others load the values too.
      await Promise.all(chunks.map((chunk) => store.extend(chunk).catch(onError)))
    }
    isProlonging = false
  }

  return {
    hold(key: string, token: string): Standing {
      const claim = { key, token }
      standing.add(claim)
      timer ??= setInterval(() => void prolong(), claimMs / 3).unref()
      return claim
    },
    letGo(claim: Standing): void {
      standing.delete(claim)
    },
  }
}
