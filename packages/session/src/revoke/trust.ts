import { type Bus, CacheError } from '@repo/cache-broadcast'
import { type BackgroundLog, runInBackground, setAwakeTimeout } from '@repo/concurrency'
import type { EmptyLook, Outbox } from '@repo/outbox'

/** The pause after an attempt that failed. */
const RETRY_MS = 100
/** The longest wait of a check for an attempt, in ms in which this process runs. */
const WAIT_MS = 250
/**
 * The longest age of an empty outbox. A revocation that followed is sent by the next turn of the outbox, so
 * this and the interval of these turns are the bound of S2.
 */
const LOOK_MS = 1_000

/**
 * Decides whether cached sessions, here or in Redis, are trusted (S4). This instance receives the bus,
 * and since the last interruption every revocation in the outbox of PostgreSQL was sent and applied
 * here. A revocation that was committed during an outage of Redis is in no cache, and Redis may return
 * with its old data.
 *
 * An instance that lacks CPU time loses its lease while its connection is open. One round trip to Redis then
 * renews the trust for all checks that wait (S10): the turns of the outbox have found it empty shortly before.
 */
export function createTrust({
  bus,
  outbox,
  onJoin,
  log,
}: {
  bus: Bus
  outbox: Pick<Outbox, 'drain' | 'lastEmpty'>
  /** Runs when this instance receives all further messages. */
  onJoin: () => void
  log?: BackgroundLog | undefined
}) {
  const { link } = bus
  const { lease, clock } = link
  /** The number of lapses of the lease when the trust was last restored. */
  let trustedAt = -1
  let attempt: { done: Promise<void>; waited: Promise<void> } | undefined
  let nextTryMs = 0

  function holds(): boolean {
    return lease.lapses === trustedAt && clock.turn() < lease.untilMs
  }

  /** Whether an empty outbox is proof: no outage of Redis began before it, and it is recent. */
  function isProof({ askedAtMs }: EmptyLook): boolean {
    return askedAtMs > link.joinedAtMs() && clock.exact() - askedAtMs < LOOK_MS
  }

  async function prove(look: EmptyLook): Promise<boolean> {
    if (!isProof(look)) return false
    // The read of the log is sent after the look, so it covers each message that the outbox has sent.
    if (!(await link.renew(look.foundAtMs))) return false
    // No await from here on: the lease of this read, and the age of the look, are still valid.
    if (!isProof(look)) return false
    onJoin()
    trustedAt = lease.lapses
    return true
  }

  async function restore(): Promise<void> {
    if (await prove(outbox.lastEmpty())) return
    const { outcome } = await outbox.drain()
    if (outcome === 'drained') await prove(outbox.lastEmpty())
  }

  async function tryOnce(): Promise<void> {
    try {
      await restore()
    } catch (error) {
      if (!(error instanceof CacheError)) throw error // Redis is unavailable again, until the next attempt
    } finally {
      if (!holds()) nextTryMs = clock.exact() + RETRY_MS
      attempt = undefined
    }
  }

  function start() {
    const done = tryOnce()
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const cancel = setAwakeTimeout(resolve, WAIT_MS)
    const ended = done.catch(() => undefined).finally(cancel)
    return { done, waited: Promise.race([ended, late]) }
  }

  /** Joins the attempt in flight, or starts one if it can succeed. */
  function join() {
    if (attempt) return attempt
    const nowMs = clock.exact()
    if (nowMs < nextTryMs || link.joinedAtMs() > nowMs || holds()) return undefined
    return (attempt = start())
  }

  return {
    holds,
    /** Restores the trust if possible, by one attempt at a time. @throws an error of PostgreSQL */
    async regain(): Promise<void> {
      await join()?.done
    },
    /**
     * As `regain`, for a check, which waits for at most 250 ms. Without a connection to Redis, and for 100 ms
     * after an attempt that failed, it does not wait. Never rejects.
     */
    async renew(): Promise<void> {
      const isFirst = attempt === undefined
      const joined = join()
      if (!joined) return
      if (isFirst) runInBackground('session.trust', () => joined.done, log)
      await joined.waited
    },
  }
}

export type Trust = ReturnType<typeof createTrust>
