import { setTimeout as wait } from 'node:timers/promises'
import type { Log } from '@repo/observability'
import { RedisError } from '@repo/redis'

const FIRST_PAUSE_MS = 500
const LAST_PAUSE_MS = 5_000

/** SQLSTATE: the server refuses the role or the database. Another attempt would fail as well. */
const REFUSAL = /^(28...|3D000|42501)$/

/**
 * Runs the start of an instance until it succeeds. A start that fails because a store is unavailable
 * is repeated, after its resources are closed.
 *
 * @param start receives a stack whose resources are closed, in reverse order, if the start fails
 * @param isUnavailable whether an error means that a store other than Redis is unavailable
 * @throws every other error, and any error once the instance drains
 */
export async function startAgain<T>({
  start,
  isUnavailable,
  isDraining,
  log,
  firstPauseMs = FIRST_PAUSE_MS,
}: {
  start: (resources: AsyncDisposableStack) => Promise<T>
  isUnavailable: (error: unknown) => boolean
  isDraining: () => boolean
  log: Log
  firstPauseMs?: number
}): Promise<T> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS)) {
    const resources = new AsyncDisposableStack()
    try {
      return await start(resources)
    } catch (error) {
      const isOutage = error instanceof RedisError || isUnavailable(error)
      if (!isOutage || isRefusal(error) || isDraining()) throw error
      log.warn({ event: 'start.failed', err: error, pauseMs }, 'the start failed and is repeated')
      await closeAll(resources, log)
      await wait(pauseMs)
    }
  }
}

async function closeAll(resources: AsyncDisposableStack, log: Log): Promise<void> {
  try {
    await resources.disposeAsync()
  } catch (error) {
    log.warn({ event: 'close.failed', err: error }, 'a pool or a worker was not closed')
  }
}

function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return ('code' in error && REFUSAL.test(String(error.code))) || isRefusal(error.cause)
}
