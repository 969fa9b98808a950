import type { ConnectionLog } from '@repo/redis'

/** A degraded mode that continues is logged once in this time. */
const LOG_EVERY_MS = 60_000

/** Modes in which a cache serves reads, but does not do all of its work. */
const MODES = {
  unreadable: '`parse` refuses stored values, which are loaded again',
  unserialisable: '`parse` refuses the JSON of loaded values',
  'too-large': 'loaded values are over maxValueBytes and are not stored',
  'not-stored': 'loaded values could not be stored in Redis',
  outage: 'reads are served without Redis',
  next: 'calls of Next fail, and count as a miss or as not stored',
}

export type DegradedMode = keyof typeof MODES

export type Notices = ReturnType<typeof createNotices>

/** Logs each degraded mode of a cache with its reason, at most once a minute. */
export function createNotices(cache: string, log: ConnectionLog | undefined) {
  const loggedAtMs = new Map<DegradedMode, number>()

  return {
    note(mode: DegradedMode, error: unknown): void {
      if (!log) return
      const nowMs = performance.now()
      if (nowMs - (loggedAtMs.get(mode) ?? Number.NEGATIVE_INFINITY) < LOG_EVERY_MS) return
      loggedAtMs.set(mode, nowMs)
      const reason = error instanceof Error ? error.message : String(error)
      const fields = { event: `cache.${mode}`, cache, reason, err: error }
      try {
        log.warn(fields, `cache ${cache}: ${MODES[mode]}: ${reason}`)
      } catch {
        // The mode is counted. A log that throws must not fail a read.
      }
    },
  }
}
