import { createDeadlines, setAwakeTimeout } from '@repo/concurrency'

/**
 * Waits for replies, and calls `onSilence` if none arrives for `ms` in which this process runs. After a
 * pause of the process, a reply in the socket is read first.
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
