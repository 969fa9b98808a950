import { withAwakeDeadline } from '@repo/concurrency'
import { Client } from 'undici'
import type { Target } from './target.ts'

export interface HealthCheck {
  /** Asked with GET; a 2xx is up. */
  path: string
  intervalMs: number
  timeoutMs: number
}

/**
 * Asks a target for its health, on a connection of its own. Any answer but 2xx takes it out at
 * once: a draining instance says so. No answer takes it out after `misses` in a row, since a busy
 * machine misses one; only time in which our own event loop ran counts. The first 2xx brings it back.
 * @returns stops the checks
 */
export function watchHealth(
  target: Target,
  { path, intervalMs, timeoutMs }: HealthCheck,
  misses: number,
): () => Promise<void> {
  const client = new Client(target.origin, {
    // By undici's clock, which counts awake time too. The other two may end before the socket is read.
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
      else target.reportDown(`${path} answered ${statusCode}`)
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
