import { setTimeout as pause } from 'node:timers/promises'
import { type Bus, CacheError } from '@repo/cache-broadcast'
import type { Outbox } from '@repo/outbox'

/** The pause between two attempts. */
const RETRY_MS = 100

/**
 * Decides whether cached sessions, here or in Redis, are trusted (S4). This instance receives the bus,
 * and since the last interruption every revocation in the outbox of PostgreSQL was sent and applied
 * here. A revocation that was committed during an outage of Redis is in no cache, and Redis may return
 * with its old data.
 */
export function createTrust({
  bus,
  outbox,
  onJoin,
}: {
  bus: Bus
  outbox: Pick<Outbox, 'drain'>
  /** Runs when this instance receives all further messages. */
  onJoin: () => void
}) {
  const { link } = bus
  const { lease, clock } = link
  /** The number of lapses of the lease when the outbox was last empty. */
  let drainedAt = -1
  let draining: Promise<void> | undefined
  let nextTryMs = 0

  async function drain(): Promise<void> {
    onJoin()
    const { lapses } = lease
    const { outcome } = await outbox.drain()
    if (outcome === 'pending') return
    // The messages of other instances are applied here before our message that follows them.
    const { n } = await bus.emit('session.drained')
    while (link.applied() < n && lease.lapses === lapses) await pause(1)
    drainedAt = lapses
  }

  async function tryOnce(): Promise<void> {
    try {
      await drain()
    } catch (error) {
      if (!(error instanceof CacheError)) throw error // Redis is unavailable again, until the next attempt
    } finally {
      nextTryMs = clock.exact() + RETRY_MS
      draining = undefined
    }
  }

  return {
    holds: () => lease.lapses === drainedAt && clock.turn() < lease.untilMs,
    /** Restores the trust if possible, by one attempt at a time. @throws an error of PostgreSQL */
    async regain(): Promise<void> {
      if (draining) return draining
      const nowMs = clock.exact()
      if (nowMs < nextTryMs || nowMs >= lease.untilMs || lease.lapses === drainedAt) return
      await (draining = tryOnce())
    },
  }
}

export type Trust = ReturnType<typeof createTrust>
