import { type BackgroundLog, noteFailure, noteSuccess } from './background.ts'
import { readOptions, requireFunction, requireLog, requireMs, requireTask } from './errors.ts'

export interface RetryOptions {
  /** The name in the log and in the metric. */
  task: string
  work: () => unknown
  /** The pause after the first failure. It doubles with each failure, up to `lastMs`. */
  firstMs?: number
  lastMs?: number
  log?: BackgroundLog | undefined
}

/**
 * Runs work in the background until it succeeds once. After any error it runs again.
 *
 * @returns a function that stops the attempts
 * @throws ConcurrencyError `bad-option`
 */
export function retryInBackground(options: RetryOptions): () => void {
  const { task, work, firstMs = 200, lastMs = 10_000, log } = readOptions(options)
  requireTask(task)
  requireFunction('work', work)
  requireMs('firstMs', firstMs, 0)
  requireMs('lastMs', lastMs, 0)
  requireLog(log)
  let timer: NodeJS.Timeout | undefined
  let pauseMs = firstMs
  let isClosed = false

  async function attempt(): Promise<void> {
    try {
      await work()
      if (pauseMs > firstMs) noteSuccess(task, log)
    } catch (error) {
      noteFailure(task, error, log)
      if (isClosed) return
      timer = setTimeout(() => void attempt(), pauseMs).unref()
      pauseMs = Math.min(pauseMs * 2, lastMs)
    }
  }

  void attempt()
  return () => {
    isClosed = true
    clearTimeout(timer)
  }
}
