import { createAwakeClock } from '@repo/concurrency'
import type { PoolClient } from 'pg'
import { DatabaseUnavailableError } from '../availability.ts'

export interface DeadlineOptions {
  /** How long a call waits for a server that answers no call of this pool, in ms. */
  deadlineMs: number
  /** How long it waits for a server that answers other calls, in ms. */
  busyDeadlineMs: number
  /** Rejects the calls that are overdue without a connection. Returns whether others still wait. */
  expireWaiting: () => boolean
}

/**
 * The deadlines of all calls of a pool. One timer checks them, after the event loop has read what
 * the server sent, and only time in which the event loop ran counts: a process that had no processor
 * for a while reports no timeout.
 */
export function createDeadlines({ deadlineMs, busyDeadlineMs, expireWaiting }: DeadlineOptions) {
  /** Connections in use, and since when their caller waits for the server, where that is known. */
  const inUse = new Map<PoolClient, number | undefined>()
  let lastAnswerMs = -Infinity
  const clock = createAwakeClock({ ms: Math.min(deadlineMs, busyDeadlineMs), onTick: check })

  /** The deadline that a call has missed, as text for its error. */
  function missed(sinceMs: number): string | undefined {
    // A time that was noted within a period may be up to one period later than the clock said.
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
    /** The time by the clock of these deadlines, in ms. */
    now: () => clock.now(),
    start: () => clock.start(),
    observe(client: PoolClient): void {
      // Before the listeners of `pg`, which may give the connection to the next call.
      client.connection.prependListener('readyForQuery', () => {
        if (inUse.has(client)) inUse.set(client, undefined)
      })
      // A pooler answers a handshake by itself: only a completed command proves that PostgreSQL works.
      client.connection.on('commandComplete', () => {
        lastAnswerMs = clock.now()
      })
    },
    /** @param sinceMs since when the caller waits, for the connection included */
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
  const message = `PostgreSQL did not answer within ${deadline}`
  client.connection.stream.destroy(new DatabaseUnavailableError('no-answer', message))
}

/** Whether a statement was sent and is not answered. */
function isAwaitingAnswer(client: PoolClient): boolean {
  return 'readyForQuery' in client && client.readyForQuery === false
}
