/** How many lists in a row must lack an origin before it is removed. */
const absences = 3

/**
 * The origins of a source whose answers may be incomplete for a moment, such as a registry that was
 * emptied. A new origin is added at once. An origin is removed when three lists in a row lack it. An
 * empty list changes nothing.
 */
export function createSteadySet() {
  const missed = new Map<string, number>()

  /** Returns the set after a list. */
  return function note(origins: readonly string[]): string[] {
    if (origins.length === 0) return [...missed.keys()]
    for (const origin of origins) missed.set(origin, 0)
    const present = new Set(origins)
    for (const [origin, count] of missed) {
      if (present.has(origin)) continue
      if (count + 1 >= absences) missed.delete(origin)
      else missed.set(origin, count + 1)
    }
    return [...missed.keys()]
  }
}
