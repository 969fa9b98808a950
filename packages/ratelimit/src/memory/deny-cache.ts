import { createTwoGenerationMap } from '@repo/concurrency'
import { z } from 'zod'
import { refusal } from '../rules.ts'
import type { Limit, Need, Verdict } from '../store.ts'
import type { LimiterBus } from '../types.ts'

/** Without a bus, no event ends a refusal. It is cached for at most this time. */
const NO_BUS_MS = 1_000

// An event of a later release with another format deletes all refusals. Then Redis decides.
const forgetEvent = z.object({ keys: z.array(z.string()) })
const blockEvent = z.object({ keys: z.array(z.string()), ms: z.number() })

interface Refusal {
  /** On the monotonic clock of this process. */
  readonly untilMs: number
  /** A take with a lower cost or a higher quota may be allowed. */
  readonly cost: number
  readonly quota: number
}

export interface DenyCache {
  /** The refusal of a check, if a cached one applies and this instance receives the bus. */
  find(needs: readonly Need[]): Verdict | undefined
  /** As `find`, also when this instance may have missed events of the bus. */
  findAny(needs: readonly Need[]): Verdict | undefined
  /** Caches the refusals of a check that was sent at `sentAtMs`, when the mark was `mark`. */
  learn(needs: readonly Need[], limits: readonly Limit[], sentAtMs: number, mark: number): void
  /** Deletes all refusals of this instance. */
  forget(): void
  /** Deletes refusals of the keys on every instance. */
  forgetEverywhere(keys: readonly string[]): Promise<void>
  /** Caches a block of the keys on every instance. */
  blockEverywhere(keys: readonly string[], ms: number): Promise<void>
  close(): void
  /** Increases with each deletion: a refusal from before it may no longer be valid. */
  readonly mark: number
  readonly size: number
}

/**
 * Refusals in the memory of this instance, so that a blocked key costs no round trip. The number of
 * entries is bounded (R8).
 *
 * A cached refusal never outlasts its cause (R7). It ends at the time in the reply of the server,
 * counted from before the check was sent. The bus delivers each earlier end to every instance. An
 * instance that may have missed events of the bus checks Redis.
 *
 * @param maxKeys the number of refusals, at most; 0: no cache
 * @param onForget runs after refusals of these keys, or of all, were deleted
 */
export function createDenyCache({
  bus,
  maxKeys,
  onForget,
}: {
  bus: LimiterBus | undefined
  maxKeys: number
  onForget: (keys?: readonly string[]) => void
}): DenyCache {
  const refusals = createRefusals(maxKeys)

  function findAny(needs: readonly Need[]): Verdict | undefined {
    if (refusals.isUnused) return undefined
    const nowMs = performance.now()
    let limits: Limit[] | undefined
    for (const { key, policy, cost, quota } of needs) {
      if (policy.shadow) continue
      const ms = refusals.refusedMs(key, cost, quota, nowMs)
      if (ms > 0) (limits ??= []).push(refusal(policy, quota, Math.ceil(ms)))
    }
    return limits && { admitted: 0, limits }
  }

  function forget(keys?: readonly string[]): void {
    refusals.forget(keys)
    onForget(keys)
  }

  function block(keys: readonly string[], ms: number): void {
    // The event may have been in flight for a moment. Redis decides the rest of the time.
    const untilMs = performance.now() + ms - NO_BUS_MS
    // A shorter block replaces a longer one.
    forget(keys)
    const entry = { untilMs, cost: 0, quota: Number.POSITIVE_INFINITY }
    for (const key of keys) refusals.add(key, entry, refusals.mark)
  }

  const subscriptions = [
    bus?.on('ratelimit.forget', (data) => forget(forgetEvent.safeParse(data).data?.keys), {
      onResync: () => forget(),
    }),
    bus?.on('ratelimit.block', (data) => {
      const event = blockEvent.safeParse(data).data
      if (event) block(event.keys, event.ms)
      else forget()
    }),
  ]

  return {
    find(needs) {
      const verdict = findAny(needs)
      return verdict && bus && bus.health().leaseMsLeft === 0 ? undefined : verdict
    },
    findAny,
    learn(needs, limits, sentAtMs, since) {
      for (const [i, { policy, retryMs }] of limits.entries()) {
        const need = needs[i]
        if (retryMs <= 1 || !need || policy !== need.policy.name) continue
        // A slot may be released at any time, and a shadow policy refuses no request.
        if (need.policy.shadow || need.policy.algorithm === 'concurrency') continue
        // The server rounds up to whole ms.
        const ms = bus ? retryMs - 1 : Math.min(retryMs - 1, NO_BUS_MS)
        const { key, cost, quota } = need
        refusals.add(key, { untilMs: sentAtMs + ms, cost, quota }, since)
      }
    },
    forget: () => forget(),
    async forgetEverywhere(keys) {
      forget(keys)
      await bus?.emit('ratelimit.forget', { keys }, { wait: 'everywhere' })
    },
    async blockEverywhere(keys, ms) {
      block(keys, ms)
      await bus?.emit('ratelimit.block', { keys, ms })
    },
    close() {
      for (const unsubscribe of subscriptions) unsubscribe?.()
    },
    get mark() {
      return refusals.mark
    },
    get size() {
      return refusals.size
    },
  }
}

/** A bounded map of refusals. All times are on the monotonic clock of this process. */
export function createRefusals(maxKeys: number) {
  const refusals = createTwoGenerationMap<Refusal>(maxKeys)
  let isUnused = true
  let mark = 0

  return {
    /** Whether it has been empty since it was last cleared: most checks end here. */
    get isUnused() {
      return isUnused
    },
    get mark() {
      return mark
    },
    get size() {
      return refusals.size
    },
    /** The ms for which a take of this cost and quota is still refused; 0 if unknown. */
    refusedMs(key: string, cost: number, quota: number, nowMs: number): number {
      const cached = refusals.get(key)
      if (!cached) return 0
      if (cached.untilMs <= nowMs) {
        refusals.delete(key)
        return 0
      }
      return cost >= cached.cost && quota <= cached.quota ? cached.untilMs - nowMs : 0
    },
    /** Adds a refusal, unless refusals were deleted since `since` was the mark. */
    add(key: string, entry: Refusal, since: number): void {
      if (since !== mark || maxKeys === 0) return
      const cached = refusals.get(key)
      if (cached && cached.untilMs > entry.untilMs) return
      refusals.set(key, entry)
      isUnused = false
    },
    /** Deletes the refusals of these keys, or all. */
    forget(keys?: readonly string[]): void {
      mark += 1
      for (const key of keys ?? []) refusals.delete(key)
      if (keys) return
      refusals.clear()
      isUnused = true
    },
  }
}
