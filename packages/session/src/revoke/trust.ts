import { setTimeout as pause } from 'node:timers/promises'
import { type Bus, CacheError } from '@repo/cache-broadcast'
import type { Outbox } from '@repo/outbox'

/** After a try, how long until the next. */
const RETRY_MS = 100

/**
 * Whether what is cached, here or in Redis, may be believed (S4): this instance hears the bus, and
 * since it last could not, every revocation that PostgreSQL holds for Redis has been sent once and
 * applied here. One that was committed while Redis was away is in no cache, and Redis may be back
 * with what it had.
 */
export function createTrust({
  bus,
  outbox,
  onHearing,
}: {
  bus: Bus
  outbox: Pick<Outbox, 'drain'>
  /** From now on this instance hears all. */
  onHearing: () => void
}) {
  const { link } = bus
  const { lease, clock } = link
  /** The count of lapses at which the outbox was seen empty. */
  let drainedAt = -1
  let draining: Promise<void> | undefined
  let nextTryMs = 0

  async function drain(): Promise<void> {
    onHearing()
    const { lapses } = lease
    const { outcome } = await outbox.drain()
    if (outcome === 'pending') return
    // What another instance sent is applied here when we hear what we say after it.
    const { n } = await bus.emit('session.drained')
    while (link.applied() < n && lease.lapses === lapses) await pause(1)
    drainedAt = lapses
  }

  async function tryOnce(): Promise<void> {
    try {
      await drain()
    } catch (error) {
      if (!(error instanceof CacheError)) throw error // Redis is away again: the next try
    } finally {
      nextTryMs = clock.exact() + RETRY_MS
      draining = undefined
    }
  }

  return {
    holds: () => lease.lapses === drainedAt && clock.turn() < lease.untilMs,
    /** Tries to find it again; one try at a time. @throws what PostgreSQL threw */
    async regain(): Promise<void> {
      if (draining) return draining
      const nowMs = clock.exact()
      if (nowMs < nextTryMs || nowMs >= lease.untilMs || lease.lapses === drainedAt) return
      await (draining = tryOnce())
    },
  }
}

export type Trust = ReturnType<typeof createTrust>
