/** How long a reading stands: longer, and two clocks may have drifted apart. */
const STANDS_MS = 60_000

/**
 * The database's clock as this process last read it, so that one clock judges a session on every
 * instance. Each answer bounds it from above by when the question was sent: the reading is never
 * behind, and ahead by no more than a round trip. Until the first answer it is our own wall clock.
 *
 * @param now monotonic ms
 */
export function createDatabaseClock(now: () => number) {
  let offsetMs = Date.now() - performance.now()
  let readAtMs = Number.NEGATIVE_INFINITY

  return {
    nowMs: () => now() + offsetMs,
    observe(databaseMs: number, sentAtMs: number): void {
      const bound = databaseMs - sentAtMs
      const old = sentAtMs - readAtMs > STANDS_MS
      if (!old && bound >= offsetMs) return
      offsetMs = bound
      readAtMs = sentAtMs
    },
  }
}

export type DatabaseClock = ReturnType<typeof createDatabaseClock>
