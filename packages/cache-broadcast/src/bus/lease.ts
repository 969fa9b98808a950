import { setAwakeTimeout } from '@repo/concurrency'

/** The time (monotonic ms) until which this process may serve values from memory (I3). */
export interface Lease {
  /** Read by every hit. */
  untilMs: number
  /** The number of times that it began: it had ended, or had not begun, when it was prolonged. */
  lapses: number
  prolong(untilMs: number, nowMs: number): void
  /** Sets the latest time to which it can be prolonged. */
  limit(untilMs: number): void
  end(): void
}

/** A lease that has not begun. `onBegin` runs each time that it begins. */
export function createLease(onBegin: () => void = () => undefined): Lease {
  let limitMs = 0
  return {
    untilMs: 0,
    lapses: 0,
    prolong(untilMs, nowMs) {
      const hasEnded = nowMs >= this.untilMs
      this.untilMs = Math.max(this.untilMs, Math.min(untilMs, limitMs))
      if (!hasEnded || nowMs >= this.untilMs) return
      this.lapses += 1
      onBegin()
    },
    limit(untilMs) {
      limitMs = untilMs
    },
    end() {
      this.untilMs = 0
    },
  }
}

/** Monotonic time in ms. */
export interface Clock {
  /** The time of this turn of the event loop, for a hit in memory. */
  turn(): number
  /** The time now. */
  exact(): number
  /** Returns the number of readings for hits so far, so that a rest without hits can be detected. */
  readings(): number
}

/** Calls that share one reading, so that time advances in a long synchronous loop. */
const READS = 64

/**
 * A clock that is read once per turn of the event loop: a reading costs several times as much as a hit.
 *
 * It is sound for leases. No input reaches the code of a turn after its clock was read, so each hit of
 * the turn is concurrent with it and may be ordered at its start. `nextTick` drops the reading before
 * the next callback of the event loop runs.
 */
export function createClock(read: () => number = performance.now.bind(performance)): Clock {
  let atMs = 0
  let left = 0
  let isArmed = false
  let readings = 0

  function drop() {
    left = 0
    isArmed = false
  }

  function refresh(): number {
    atMs = read()
    readings += 1
    left = READS
    if (!isArmed) {
      isArmed = true
      process.nextTick(drop)
    }
    return atMs
  }

  return {
    turn() {
      if (left === 0) return refresh()
      left -= 1
      return atMs
    },
    exact: read,
    readings: () => readings,
  }
}

/**
 * Returns a function for the time until the next read that prolongs a lease, in ms: a quarter of the lease,
 * at most 250 ms, and twice as long while memory is not read.
 */
export function createBeat(maxStaleMs: number, clock: Pick<Clock, 'readings'>): () => number {
  const beatMs = Math.min(250, Math.floor(maxStaleMs / 4))
  let lastReadings = 0
  return () => {
    const isUsed = clock.readings() > lastReadings
    lastReadings = clock.readings()
    return isUsed ? beatMs : 2 * beatMs
  }
}

/** Settles as `work` does, or rejects after `ms` in which this process runs. */
export async function within<T>(
  ms: number,
  work: Promise<T>,
  createError: () => Error,
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const cancel = setAwakeTimeout(() => reject(createError()), ms)
  return Promise.race([work, promise]).finally(cancel)
}
