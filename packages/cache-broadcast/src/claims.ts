import type { Store } from './link.ts'

interface Standing {
  key: string
  token: string
}

/**
 * Prolongs the claims of loads that take longer, so that nobody else loads the same as long as
 * this process lives (I6). A load that ends before the first turn costs nothing.
 */
export function createClaims(store: Store, claimMs: number, onError: () => void) {
  const standing = new Set<Standing>()
  let timer: NodeJS.Timeout | undefined

  function prolong() {
    if (standing.size === 0) {
      clearInterval(timer)
      timer = undefined
      return
    }
    const all = [...standing]
    for (let at = 0; at < all.length; at += 64) {
      store.extend(all.slice(at, at + 64)).catch(onError) // the claim ends: others load it too
    }
  }

  return {
    hold(key: string, token: string): Standing {
      const claim = { key, token }
      standing.add(claim)
      timer ??= setInterval(prolong, claimMs / 3).unref()
      return claim
    },
    letGo(claim: Standing): void {
      standing.delete(claim)
    },
  }
}
