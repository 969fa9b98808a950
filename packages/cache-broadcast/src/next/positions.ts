import type { Sink } from '../link.ts'

/** The number of changes that are recorded one by one. */
const MAX_CHANGES = 1_000

/**
 * Finds the number of the last entry of the log that this process had applied at a past time of its
 * clock. This is the version of a render that began then. Only changes that may invalidate an entry
 * are recorded.
 */
export function createPositions(applied: () => number) {
  const changes: { atMs: number; before: number }[] = []
  const sinceMs = nowMs()
  let last = applied()

  function record() {
    changes.push({ atMs: nowMs(), before: last })
    if (changes.length > MAX_CHANGES) changes.shift()
    last = applied()
  }

  return {
    at(ms: number): number {
      if (ms < sinceMs) return 0
      return changes.find(({ atMs }) => atMs >= ms)?.before ?? applied()
    },
    /** The same sink, whose changes are recorded. */
    recording(sink: Sink): Sink {
      return {
        ...sink,
        drop: (keys, n) => (record(), sink.drop(keys, n)),
        soften: (keys, n) => (record(), sink.soften(keys, n)),
        dropTags: (tags, n, isTagged) => (record(), sink.dropTags(tags, n, isTagged)),
        softenTags: (tags, n, isTagged, ms) => (record(), sink.softenTags(tags, n, isTagged, ms)),
        clear: (n) => (record(), sink.clear(n)),
      }
    },
  }
}

/** The time as Next stamps its entries. */
function nowMs(): number {
  return performance.timeOrigin + performance.now()
}
