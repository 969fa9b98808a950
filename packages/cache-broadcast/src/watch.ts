import { createDeadlines, setAwakeTimeout } from '@repo/concurrency'

/**
 * Waits for replies, and calls `onSilence` when there is none for `ms` in which this process ran: a
 * reply that is in the socket after a pause of the process is read first.
 */
export function createWatch(ms: number) {
  const deadlines = createDeadlines({ ms })

  return async function watch<T>(reply: Promise<T>, onSilence: () => void): Promise<T> {
    const deadline = deadlines.start(onSilence)
    try {
      return await reply
    } finally {
      deadlines.end(deadline)
    }
  }
}

/** Settles as `work` does, or rejects after `ms` in which this process ran. */
export async function within<T>(
  ms: number,
  work: Promise<T>,
  createError: () => Error,
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const cancel = setAwakeTimeout(() => reject(createError()), ms)
  return Promise.race([work, promise]).finally(cancel)
}
