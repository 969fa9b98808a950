/**
 * The last `maxEntries` values or so, in two generations: when the young one is full the old one
 * goes as a whole, and what was asked for meanwhile has moved over. A Map that loses its oldest key
 * again and again steps over all that it lost.
 */
export function createMemo<T>(maxEntries: number) {
  const most = Math.max(Math.ceil(maxEntries / 2), 1)
  let young = new Map<string, T>()
  let old = new Map<string, T>()

  function set(key: string, value: T): void {
    if (young.size >= most) {
      old = young
      young = new Map()
    }
    young.set(key, value)
  }

  return {
    get(key: string): T | undefined {
      const value = young.get(key)
      if (value !== undefined) return value
      const before = old.get(key)
      if (before !== undefined) set(key, before)
      return before
    },
    set,
  }
}
