import { nodeTicks, tickMsOf, ticksOf, type TickSource } from './awake-ticks.ts'
import { runInBackground } from './background.ts'
import { ConcurrencyError, readOptions, requireFunction, requireMs } from './errors.ts'

/** A deadline in progress, from `start` to `end`. */
export class Deadline {
  dueTick: number
  onLate: () => unknown
  /** The neighbours in the ring. After the end both are this deadline. */
  before: Deadline = this
  after: Deadline = this
  isOpen = true

  constructor(dueTick: number, onLate: () => unknown) {
    this.dueTick = dueTick
    this.onLate = onLate
  }
}

export interface Deadlines {
  /** The number of deadlines in progress. */
  readonly outstanding: number
  /** The longest time beyond `ms` after which a deadline is found late, in ms of awake time. */
  readonly tickMs: number
  /** Starts a deadline: `onLate` runs once, unless `end` comes first. */
  start(onLate: () => unknown): Deadline
  /** Ends a deadline. Returns false if it had ended before, because it was late. */
  end(deadline: Deadline): boolean
  /**
   * Settles as `work` does, or rejects when it is late.
   * @param createError makes the error of a late call; a ConcurrencyError `late` by default
   */
  run<T>(work: PromiseLike<T>, createError?: () => Error): Promise<T>
}

export interface DeadlineOptions {
  /** The awake time after which a call is late, in ms. */
  ms: number
  /** Runs once after each sweep that found late calls, with their number: they are one round. */
  onSweep?: (late: number) => unknown
  /** For tests. */
  ticks?: TickSource
}

/**
 * The deadlines of many calls to another party, such as a server. All of them have the same `ms`.
 *
 * Only time in which our event loop ran counts. One shared timer ticks while calls are
 * outstanding; each tick counts as one period, also when it is late. A pause of the process (garbage
 * collection, a CPU limit, SIGSTOP) therefore counts as one period at most. Late calls are failed only
 * after the event loop has read its sockets, so that a reply that has arrived is not late.
 *
 * A call is late after `ms` to `ms + tickMs` of awake time. A deadline costs a list entry and no timer.
 * Use it to judge another party only: a right of this process, such as a lease, ends by real time.
 *
 * @throws ConcurrencyError `bad-option`
 */
export function createDeadlines(options: DeadlineOptions): Deadlines {
  const { ms, onSweep, ticks = nodeTicks } = readOptions(options)
  requireMs('ms', ms)
  if (onSweep !== undefined) requireFunction('onSweep', onSweep)
  const tickMs = tickMsOf(ms)
  const lifeTicks = ticksOf(ms, tickMs)
  // A ring of all deadlines in the order of their start, which is the order in which they are due.
  const ring = new Deadline(Number.POSITIVE_INFINITY, () => undefined)
  let outstanding = 0
  let now = 0
  let stopTicks: (() => void) | undefined
  let isSweepPending = false

  function tick(): void {
    if (outstanding === 0) {
      stopTicks?.()
      stopTicks = undefined
      return
    }
    now += 1
    if (isSweepPending || ring.after.dueTick > now) return
    isSweepPending = true
    ticks.afterPoll(sweep)
  }

  function sweep(): void {
    isSweepPending = false
    const late: Deadline[] = []
    for (let first = ring.after; first.dueTick <= now; first = ring.after) {
      end(first)
      late.push(first)
    }
    if (late.length === 0) return
    for (const { onLate } of late) runInBackground('deadlines', onLate)
    if (onSweep) runInBackground('deadlines', () => onSweep(late.length))
  }

  function start(onLate: () => unknown): Deadline {
    if (typeof onLate !== 'function') requireFunction('onLate', onLate)
    const deadline = new Deadline(now + lifeTicks, onLate)
    const last = ring.before
    deadline.before = last
    deadline.after = ring
    last.after = deadline
    ring.before = deadline
    outstanding += 1
    stopTicks ??= ticks.every(tickMs, tick)
    return deadline
  }

  function end(deadline: Deadline): boolean {
    if (!(deadline instanceof Deadline)) {
      throw new ConcurrencyError('bad-option', 'deadline must be one that start returned')
    }
    if (!deadline.isOpen) return false
    deadline.isOpen = false
    deadline.before.after = deadline.after
    deadline.after.before = deadline.before
    deadline.before = deadline
    deadline.after = deadline
    outstanding -= 1
    return true
  }

  function run<T>(work: PromiseLike<T>, createError = createLateError): Promise<T> {
    if (typeof createError !== 'function') requireFunction('createError', createError)
    return new Promise<T>((resolve, reject) => {
      const deadline = start(() => reject(createError()))
      // No second promise: the outcome of this one is the outcome of the work.
      Promise.resolve(work).then(
        (value) => end(deadline) && resolve(value),
        (error: unknown) => end(deadline) && reject(error),
      )
    })
  }

  function createLateError(): Error {
    return new ConcurrencyError('late', `not settled within ${ms} ms`)
  }

  return {
    get outstanding() {
      return outstanding
    },
    tickMs,
    start,
    end,
    run,
  }
}
