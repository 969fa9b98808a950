/** The time for which a reading is used. After a longer time the two clocks may have drifted apart. */
const MAX_AGE_MS = 60_000

/**
 * The clock of the database as this process last read it, so that every instance uses one clock for a
 * session (S9). Each reply bounds it from above by the time at which the query was sent. The reading is
 * never behind, and at most a round trip ahead. Until the first reply it is the wall clock.
 *
 * @param now the monotonic time in ms
 */
export function createDatabaseClock(now: () => number) {
  let offsetMs = Date.now() - performance.now()
  let readAtMs = Number.NEGATIVE_INFINITY

  return {
    nowMs: () => now() + offsetMs,
    observe(databaseMs: number, sentAtMs: number): void {
      const bound = databaseMs - sentAtMs
      const isOld = sentAtMs - readAtMs > MAX_AGE_MS
      if (!isOld && bound >= offsetMs) return
      offsetMs = bound
      readAtMs = sentAtMs
    },
  }
}

export type DatabaseClock = ReturnType<typeof createDatabaseClock>
