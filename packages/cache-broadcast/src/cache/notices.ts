import type { ConnectionLog } from '@repo/redis'

/** A degraded mode that continues is logged once in this time. */
const LOG_EVERY_MS = 60_000

/** A mode in which a cache answers, but does not do all of its work. */
const MODES = {
  unreadable: 'stored values are refused by `parse` and loaded again',
  unserialisable: 'loaded values are refused: their JSON is not what `parse` accepts',
  'too-large': 'loaded values are over maxValueBytes and stored nowhere',
  'not-stored': 'loaded values could not be stored in Redis',
  outage: 'reads do without Redis',
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
        // The mode is counted; a log that throws must not fail a read.
      }
    },
  }
}
