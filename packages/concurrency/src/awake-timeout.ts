import { nodeTicks, tickMsOf, ticksOf, type TickSource } from './awake-ticks.ts'
import { runInBackground } from './background.ts'
import { readOptions, requireFunction, requireMs } from './errors.ts'

/**
 * A single deadline for another party, such as a health check or a boot. `onLate` runs after `ms` of
 * time in which our event loop ran, and after the event loop has read its sockets. The delay after that
 * is at most a tenth of `ms`, and at most 50 ms. For many calls with one deadline, use `createDeadlines`.
 *
 * @returns a function that cancels the deadline
 * @throws ConcurrencyError `bad-option`
 */
export function setAwakeTimeout(
  onLate: () => void,
  ms: number,
  options: { ticks?: TickSource } = {},
): () => void {
  const { ticks = nodeTicks } = readOptions(options)
  requireFunction('onLate', onLate)
  requireMs('ms', ms, 0)
  const tickMs = tickMsOf(ms)
  // The timer starts with this call, so its first period is a whole one.
  let ticksLeft = Math.max(1, ticksOf(ms, tickMs) - 1)
  let isCancelled = false

  function expire(): void {
    if (!isCancelled) runInBackground('deadlines', onLate)
  }

  const stopTicks = ticks.every(tickMs, () => {
    ticksLeft -= 1
    if (ticksLeft > 0) return
    stopTicks()
    ticks.afterPoll(expire)
  })
  return function cancel() {
    isCancelled = true
    stopTicks()
  }
}

/**
 * Runs work that takes a signal, such as a `fetch`. The signal is aborted with a `TimeoutError` after
 * `ms` of awake time (see `setAwakeTimeout`), as `AbortSignal.timeout` does after real time.
 *
 * @throws ConcurrencyError `bad-option`, and any error of the work
 */
export async function withAwakeDeadline<T>(
  ms: number,
  work: (signal: AbortSignal) => PromiseLike<T> | T,
): Promise<T> {
  requireFunction('work', work)
  const controller = new AbortController()
  const cancel = setAwakeTimeout(() => {
    controller.abort(new DOMException(`not settled within ${ms} ms`, 'TimeoutError'))
  }, ms)
  try {
    return await work(controller.signal)
  } finally {
    cancel()
  }
}
