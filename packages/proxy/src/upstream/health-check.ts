import { withAwakeDeadline } from '@repo/concurrency'
import { Client } from 'undici'
import type { Target } from './target.ts'

export interface HealthCheck {
  /** Requested with GET. A 2xx response is healthy. */
  path: string
  intervalMs: number
  timeoutMs: number
}

/**
 * Checks the health of a target, on a separate connection. A response other than 2xx removes it at
 * once: a draining instance sends one. Missing responses remove it after `misses` in a row, because a
 * busy machine can miss one. Only time in which our event loop ran counts. The first 2xx adds it again.
 * @returns a function that stops the checks
 */
export function watchHealth(
  target: Target,
  { path, intervalMs, timeoutMs }: HealthCheck,
  misses: number,
): () => Promise<void> {
  const client = new Client(target.origin, {
    // The clock of undici counts awake time too. The other two timers can end before the socket is read.
    connectTimeout: timeoutMs,
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  let missed = 0
  let timer: NodeJS.Timeout | undefined

  async function readStatus(signal: AbortSignal): Promise<number> {
    const { statusCode, body } = await client.request({ method: 'GET', path, signal })
    await body.dump()
    return statusCode
  }

  // Hooks for events cannot throw (see `notify`), so this never rejects.
  async function check(): Promise<void> {
    try {
      const statusCode = await withAwakeDeadline(timeoutMs, readStatus)
      missed = 0
      if (statusCode >= 200 && statusCode < 300) target.reportUp()
      else target.reportDown(`${path} responded with ${statusCode}`)
    } catch (error) {
      if (client.destroyed) return
      missed += 1
      if (missed >= misses) target.reportDown(`${path}: ${String(error)}`)
    }
    if (!client.destroyed) timer = setTimeout(() => void check(), intervalMs).unref()
  }

  void check()
  return async () => {
    clearTimeout(timer)
    await client.destroy()
  }
}
