import type { Redis } from 'ioredis'

const LONGEST_PAUSE_MS = 1_000

/**
 * Returns the pause before each attempt to connect. There is no pause before the first attempt after a
 * loss; then it doubles each time. A connection that is lost again within a second waits too.
 */
export function createRetryStrategy(now = () => performance.now()): (attempt: number) => number {
  let atOnceMs = Number.NEGATIVE_INFINITY
  return function pauseMs(attempt) {
    if (attempt === 1 && now() - atOnceMs >= LONGEST_PAUSE_MS) {
      atOnceMs = now()
      return 0
    }
    return Math.min(50 * 2 ** attempt, LONGEST_PAUSE_MS)
  }
}

export interface Recovery {
  /** Whether a connection that was ready is lost, and the first attempt to replace it is in progress. */
  isRecovering(): boolean
  /** Runs `work` when this attempt has succeeded or failed. */
  afterAttempt(work: () => void): void
}

/**
 * Follows the loss of a connection. During the first attempt to replace it, unsent calls wait, so a
 * connection that was closed while idle fails no call. When the attempt fails, the server is
 * unavailable, and calls fail at once.
 */
export function followRecovery(client: Redis): Recovery {
  let wasReady = false
  let isRecovering = false
  let waiting: (() => void)[] = []

  function endAttempt(): void {
    isRecovering = false
    const works = waiting
    waiting = []
    for (const work of works) work()
  }

  client.on('ready', () => {
    wasReady = true
    endAttempt()
  })
  client.on('close', () => {
    isRecovering = wasReady
    wasReady = false
    if (!isRecovering) endAttempt()
  })
  client.on('end', endAttempt)
  return {
    // A connection that is no longer writable is about to be closed.
    isRecovering: () => isRecovering || (client.status === 'ready' && !client.stream.writable),
    afterAttempt: (work) => void waiting.push(work),
  }
}
