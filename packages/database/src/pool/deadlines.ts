import { createAwakeClock } from '@repo/concurrency'
import type { PoolClient } from 'pg'
import { DatabaseUnavailableError } from '../availability.ts'

export interface DeadlineOptions {
  /** How long a call waits while the server replies to no call of this pool, in ms. */
  deadlineMs: number
  /** How long a call waits while the server replies to other calls, in ms. */
  busyDeadlineMs: number
  /** Rejects overdue calls without a connection. Returns whether other calls still wait. */
  expireWaiting: () => boolean
}

/**
 * Creates the deadlines of all calls of a pool. One timer checks them after the event loop has read
 * the replies, and only time in which the event loop ran counts. So a pause of the process causes no
 * timeout.
 */
export function createDeadlines({ deadlineMs, busyDeadlineMs, expireWaiting }: DeadlineOptions) {
  /** Connections in use, and the time since which their caller waits for the server. */
  const inUse = new Map<PoolClient, number | undefined>()
  let lastAnswerMs = -Infinity
  const clock = createAwakeClock({ ms: Math.min(deadlineMs, busyDeadlineMs), onTick: check })

  /** Returns the deadline that a call has missed, as text for its error. */
  function missed(sinceMs: number): string | undefined {
    // A time within a period can be up to one period later than the reading of the clock.
    const nowMs = clock.now() - clock.tickMs
    if (nowMs - Math.max(sinceMs, lastAnswerMs) >= deadlineMs) {
      return `${deadlineMs} ms (DATABASE_TIMEOUT_MS)`
    }
    const isOverdue = nowMs - sinceMs >= Math.max(deadlineMs, busyDeadlineMs)
    return isOverdue ? `${busyDeadlineMs} ms (DATABASE_BUSY_TIMEOUT_MS)` : undefined
  }

  function check(): void {
    const isAnyWaiting = expireWaiting()
    for (const [client, sinceMs] of inUse) {
      if (!isAwaitingAnswer(client)) inUse.set(client, undefined)
      else if (sinceMs === undefined) inUse.set(client, clock.now())
      else expire(client, missed(sinceMs))
    }
    if (!isAnyWaiting && inUse.size === 0) clock.stop()
  }

  return {
    missed,
    /** Returns the time of the clock of these deadlines, in ms. */
    now: () => clock.now(),
    start: () => clock.start(),
    observe(client: PoolClient): void {
      // This listener precedes those of `pg`, which can give the connection to the next call.
      client.connection.prependListener('readyForQuery', () => {
        if (inUse.has(client)) inUse.set(client, undefined)
      })
      // A pooler completes a handshake itself, so only a completed command proves that PostgreSQL works.
      client.connection.on('commandComplete', () => {
        lastAnswerMs = clock.now()
      })
    },
    /** @param sinceMs the time since which the caller waits, also for the connection */
    begin(client: PoolClient, sinceMs = clock.now()): void {
      inUse.set(client, sinceMs)
    },
    end(client: PoolClient): void {
      inUse.delete(client)
    },
  }
}

function expire(client: PoolClient, deadline: string | undefined): void {
  if (deadline === undefined) return
  const message = `PostgreSQL sent no reply within ${deadline}`
  client.connection.stream.destroy(new DatabaseUnavailableError('no-answer', message))
}

/** Whether a statement was sent and has no reply yet. */
function isAwaitingAnswer(client: PoolClient): boolean {
  return 'readyForQuery' in client && client.readyForQuery === false
}
