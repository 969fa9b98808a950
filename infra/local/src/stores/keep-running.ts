import { setTimeout as wait } from 'node:timers/promises'
import type { ServerProcess } from '@repo/embedded'

const FIRST_DELAY_MS = 500
const LONGEST_DELAY_MS = 16_000

export type StoreEvent =
  | { kind: 'restarted'; name: string; pid: number }
  | { kind: 'failed'; name: string; reason: string; retryInMs: number }

/**
 * Restarts a server each time it ends, until `signal` aborts. One restart runs at a time. A restart that
 * fails is repeated after 0.5, 1, 2 … 16 s. Never rejects.
 */
export async function keepRunning(
  name: string,
  server: ServerProcess,
  { signal, onEvent }: { signal: AbortSignal; onEvent: (event: StoreEvent) => void },
): Promise<void> {
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  let delayMs = FIRST_DELAY_MS
  while (!signal.aborted) {
    if (server.running) {
      await Promise.race([server.untilEnd(), aborted])
      continue
    }
    const fault = await tryRestart(server)
    if (signal.aborted) return
    if (fault === undefined) {
      delayMs = FIRST_DELAY_MS
      onEvent({ kind: 'restarted', name, pid: server.pid })
      continue
    }
    onEvent({ kind: 'failed', name, reason: fault, retryInMs: delayMs })
    await pause(delayMs, signal)
    delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)
  }
}

/** @returns the reason of a failure */
async function tryRestart(server: ServerProcess): Promise<string | undefined> {
  try {
    await server.restart()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Ends early when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => undefined)
}
