import { createDeadlines } from '@repo/concurrency'

/** A pause between two turns of a loop. It can be ended early, also before it begins. */
export function createRest() {
  let isEnded = false
  let wake: (() => void) | undefined

  return {
    async take(ms: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, ms)
      wake = resolve
      if (!isEnded) await promise
      isEnded = false
      clearTimeout(timer)
    },
    end(): void {
      isEnded = true
      wake?.()
    },
  }
}

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
