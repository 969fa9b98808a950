import { withAwakeDeadline } from '@repo/concurrency'
import { Pool } from '../client/pool.ts'
import { readStatus } from './read-status.ts'
import type { Target } from './target.ts'

export interface HealthCheck {
  /** Requested with GET. A 2xx response is healthy. */
  path: string
  intervalMs: number
  timeoutMs: number
  /**
   * The interval while all targets are healthy and no request was sent for ten seconds; by default
   * ten times `intervalMs`. By then no connection to a target is open, so a request to an instance that stops
   * in between fails to connect and is sent to another one.
   */
  idleIntervalMs?: number
}

export interface HealthChecks {
  /** Begins to check a target, now. */
  add(target: Target): void
  /** Ends the checks of a target. */
  remove(target: Target): void
  /** Records a request to a target. */
  noteRequest(): void
  close(): Promise<void>
}

const idleByDefaultMs = 10_000
const tickMs = 100
/** Ticks without an answer to waiting requests, after which a target is checked out of turn. */
const suspectTicks = 2
/** Ticks without an answer to requests and to a check, after which a target is silent. */
const silentTicks = 5

interface Watched {
  readonly target: Target
  readonly pool: Pool
  missed: number
  isChecking: boolean
  /** Ticks since the last answer while requests waited. */
  quietTicks: number
  answersSeen: number
}

/**
 * Checks the health of all targets of an upstream with one timer, each on a separate connection. A
 * response other than 2xx removes a target at once: a draining instance sends one. Missing responses
 * remove it after `misses` in a row, because a busy machine can miss one. The first 2xx adds it again.
 *
 * While requests wait, a second timer detects a target that is stopped: it accepts connections and
 * answers nothing. Without any answer for 200 ms it is checked out of turn, and without an answer to
 * this check for another 300 ms it is down. A slow route is no silence: the check is answered.
 *
 * Only time in which our event loop ran counts, and only after the sockets were read.
 */
export function createHealthChecks(
  { path, intervalMs, timeoutMs, idleIntervalMs = intervalMs * 10 }: HealthCheck,
  misses: number,
  idleAfterMs = idleByDefaultMs,
): HealthChecks {
  const watched = new Map<Target, Watched>()
  let timer: NodeJS.Timeout | undefined
  let ticks: NodeJS.Timeout | undefined
  let isIdle = false
  let isClosed = false
  let requestsAtMs = 0
  let hasRequests = false

  async function check(each: Watched): Promise<void> {
    const { target, pool } = each
    if (each.isChecking) return
    each.isChecking = true
    // Hooks for events cannot throw (see `notify`), so this never rejects.
    try {
      const statusCode = await withAwakeDeadline(timeoutMs, (signal) =>
        readStatus(pool, path, signal),
      )
      if (isClosed || watched.get(target) !== each) return
      each.missed = 0
      target.answers += 1
      if (statusCode >= 200 && statusCode < 300) target.reportUp()
      else target.reportDown(`${path} responded with ${statusCode}`)
    } catch (error) {
      if (isClosed || watched.get(target) !== each) return
      each.missed += 1
      each.quietTicks = 0
      if (each.missed >= misses) target.reportDown(`${path}: ${String(error)}`)
    } finally {
      each.isChecking = false
    }
  }

  function beat(): void {
    const nowMs = performance.now()
    if (hasRequests) requestsAtMs = nowMs
    hasRequests = false
    let isCalm = nowMs - requestsAtMs >= idleAfterMs
    for (const each of watched.values()) {
      if (each.target.state !== 'healthy' || each.missed > 0) isCalm = false
      void check(each)
    }
    isIdle = isCalm
    schedule(isCalm ? Math.max(intervalMs, idleIntervalMs) : intervalMs)
  }

  function schedule(ms: number): void {
    clearTimeout(timer)
    if (!isClosed) timer = setTimeout(beat, ms).unref()
  }

  function watchSilence(): void {
    let areWaiting = false
    for (const each of watched.values()) {
      const { waiting, answers } = each.target
      if (waiting > 0) areWaiting = true
      if (waiting === 0 || answers !== each.answersSeen) {
        each.answersSeen = answers
        each.quietTicks = 0
        continue
      }
      each.quietTicks += 1
      if (each.quietTicks === suspectTicks) void check(each)
      if (each.quietTicks % silentTicks !== 0) continue
      // A check that was answered or failed is no silence.
      if (each.isChecking) each.target.reportSilent(`no answer for ${silentTicks * tickMs} ms`)
      else each.quietTicks = 0
    }
    if (areWaiting) return
    clearInterval(ticks)
    ticks = undefined
  }

  return {
    add(target) {
      // The deadline of a check is its only one.
      const pool = new Pool(target.origin, target.connect)
      const each = {
        target,
        pool,
        missed: 0,
        isChecking: false,
        quietTicks: 0,
        answersSeen: 0,
      }
      watched.set(target, each)
      void check(each)
      if (!timer) {
        requestsAtMs = performance.now()
        schedule(intervalMs)
      }
    },
    remove(target) {
      const each = watched.get(target)
      watched.delete(target)
      each?.pool.destroy()
    },
    noteRequest() {
      hasRequests = true
      ticks ??= setInterval(() => setImmediate(watchSilence), tickMs).unref()
      if (!isIdle) return
      isIdle = false
      schedule(0)
    },
    async close() {
      clearTimeout(timer)
      clearInterval(ticks)
      isClosed = true
      for (const { pool } of watched.values()) pool.destroy()
    },
  }
}
