import { setTimeout as wait } from 'node:timers/promises'
import { isDatabaseUnavailable, isRefusal } from './availability.ts'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000

export interface UntilAvailableOptions {
  timeoutMs: number
  /** Whether a refusal of the role or the database is an outage like any other. */
  retriesRefusals?: boolean
  /** Ends the attempts. */
  signal?: AbortSignal | undefined
  onFailure?: ((error: unknown) => void) | undefined
}

/**
 * Runs `work` again while PostgreSQL is unavailable.
 * @throws the last outage when it lasts longer than `timeoutMs`; at once when the server refuses the
 * role or the database, and for every error that is no outage
 */
export async function untilAvailable<T>(
  work: () => Promise<T>,
  { timeoutMs, retriesRefusals = false, signal, onFailure }: UntilAvailableOptions,
): Promise<T> {
  const giveUpAtMs = performance.now() + timeoutMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await work()
    } catch (error) {
      const isRefused = !retriesRefusals && isRefusal(error)
      const isFinal = isRefused || !isDatabaseUnavailable(error)
      if (isFinal || signal?.aborted || performance.now() + pauseMs > giveUpAtMs) throw error
      onFailure?.(error)
      await wait(pauseMs, undefined, { signal }).catch(() => undefined)
      if (signal?.aborted) throw error
    }
  }
}
