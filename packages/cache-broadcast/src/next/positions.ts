import type { Sink } from '../link.ts'

/** So many changes are remembered one by one. */
const LENGTH = 1_000

/**
 * How far this process had read the log at a past time of its own clock: the version of what was
 * begun then. Only changes that may invalidate it are remembered.
 */
export function createPositions(applied: () => number) {
  const changes: { atMs: number; before: number }[] = []
  const sinceMs = nowMs()
  let last = applied()

  function note() {
    changes.push({ atMs: nowMs(), before: last })
    if (changes.length > LENGTH) changes.shift()
    last = applied()
  }

  return {
    at(ms: number): number {
      if (ms < sinceMs) return 0
      return changes.find(({ atMs }) => atMs >= ms)?.before ?? applied()
    },
    /** The same sink, each of whose changes is noted. */
    noting(sink: Sink): Sink {
      return {
        ...sink,
        drop: (keys, n) => (note(), sink.drop(keys, n)),
        soften: (keys, n) => (note(), sink.soften(keys, n)),
        dropTags: (tags, n, isTagged) => (note(), sink.dropTags(tags, n, isTagged)),
        softenTags: (tags, n, isTagged, ms) => (note(), sink.softenTags(tags, n, isTagged, ms)),
        clear: (n) => (note(), sink.clear(n)),
      }
    },
  }
}

/** As Next stamps its entries. */
function nowMs(): number {
  return performance.timeOrigin + performance.now()
}
