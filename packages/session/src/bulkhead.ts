import { createDeadlines } from '@repo/concurrency'
import { SessionError } from './errors.ts'

/**
 * Lets `width` calls run at a time, so that a cold cache takes no more of the pool than that; who
 * has waited for `waitMs` is refused.
 */
export function createBulkhead({ width = 20, waitMs = 200 } = {}) {
  // A pause of this process is no load: only time in which the event loop ran counts.
  const deadlines = createDeadlines({ ms: waitMs })
  const waiting = new Set<() => void>()
  let running = 0

  async function enter(): Promise<void> {
    if (running < width) {
      running += 1
      return
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    waiting.add(resolve)
    const deadline = deadlines.start(() => {
      waiting.delete(resolve)
      reject(new SessionError('overloaded', `no turn to query PostgreSQL within ${waitMs} ms`))
    })
    await promise.finally(() => deadlines.end(deadline))
  }

  /** The place is handed on: nobody can come between. */
  function leave() {
    const [next] = waiting
    if (!next) {
      running -= 1
      return
    }
    waiting.delete(next)
    next()
  }

  return async function run<T>(call: () => Promise<T>): Promise<T> {
    await enter()
    try {
      return await call()
    } finally {
      leave()
    }
  }
}
