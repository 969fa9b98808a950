import type { Bus } from '@repo/cache-broadcast'
import { createTwoGenerationMap } from '@repo/concurrency'
import { z } from 'zod'
import { refusal } from '../rules.ts'
import type { Limit, Need, Verdict } from '../store.ts'

/** Without a bus nobody says that a refusal is over: it is believed for so long. */
const UNHEARD_MS = 1_000

// An event that a later release writes in another way forgets all refusals: then Redis decides.
const forgetEvent = z.object({ keys: z.array(z.string()) })
const blockEvent = z.object({ keys: z.array(z.string()), ms: z.number() })

/**
 * Refusals that this instance remembers, so that a blocked key costs no round trip. None outlasts
 * its reason: it ends when the server's answer said, counted from before it was asked, and what
 * lifts it is heard over the bus. An instance that does not hear the bus asks Redis.
 */
export function createDenials({
  bus,
  maxKeys,
  onForget,
}: {
  bus: Bus | undefined
  maxKeys: number
  /** Counts, or all when it names none, may not be what they were. */
  onForget: (keys?: readonly string[]) => void
}) {
  const cache = createDenyCache(maxKeys)

  function forget(keys?: readonly string[]) {
    cache.forget(keys)
    onForget(keys)
  }

  function block(keys: readonly string[], ms: number) {
    // The event may have been a moment on its way: the rest is left to Redis.
    const untilMs = performance.now() + ms - UNHEARD_MS
    // A shorter block replaces a longer one.
    forget(keys)
    const refusing = { untilMs, cost: 0, quota: Number.POSITIVE_INFINITY }
    for (const key of keys) cache.put(key, refusing, cache.mark)
  }

  const stop = [
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
    cache,
    forgetAll: () => forget(),
    /** What refuses the check for sure, if anything; `surely` does not ask whether the bus is heard. */
    find(needs: readonly Need[], surely: boolean): Verdict | undefined {
      if (cache.size === 0) return undefined
      const nowMs = performance.now()
      let limits: Limit[] | undefined
      for (const { key, policy, cost, quota } of needs) {
        if (policy.shadow) continue
        const ms = cache.refusedMs(key, cost, quota, nowMs)
        if (ms > 0) (limits ??= []).push(refusal(policy, quota, Math.ceil(ms)))
      }
      if (!limits || (!surely && bus && bus.health().leaseMsLeft === 0)) return undefined
      return { admitted: 0, limits }
    },
    /** Remembers what refused; it was asked at `sentAtMs`, when the mark was `mark`. */
    learn(needs: readonly Need[], limits: readonly Limit[], sentAtMs: number, mark: number) {
      for (const [i, { policy, retryMs }] of limits.entries()) {
        const need = needs[i]
        if (retryMs <= 1 || !need || policy !== need.policy.name) continue
        // A lease may be given back at any time; a shadow refuses nobody.
        if (need.policy.shadow || need.policy.algorithm === 'concurrency') continue
        // The server rounded up to whole ms.
        const forMs = bus ? retryMs - 1 : Math.min(retryMs - 1, UNHEARD_MS)
        const { cost, quota } = need
        cache.put(need.key, { untilMs: sentAtMs + forMs, cost, quota }, mark)
      }
    },
    /** Forgets here and everywhere. */
    async forget(keys: readonly string[]) {
      forget(keys)
      await bus?.emit('ratelimit.forget', { keys }, { wait: 'everywhere' })
    },
    async block(keys: readonly string[], ms: number) {
      block(keys, ms)
      await bus?.emit('ratelimit.block', { keys, ms })
    },
    close() {
      for (const end of stop) end?.()
    },
  }
}

/** Counts that are known to refuse; times are this process's monotonic ms. */
export interface DenyCache {
  /** The ms for which a take of this cost and quota is still refused; 0 when nobody knows. */
  refusedMs(key: string, cost: number, quota: number, nowMs: number): number
  /** Remembers a refusal, unless something was forgotten since `mark` was read. */
  put(key: string, entry: Refusal, mark: number): void
  /** Forgets, so that the next take asks the store; without keys, everything. */
  forget(keys?: readonly string[]): void
  /** Goes up whenever something is forgotten: a refusal from before that may be no longer true. */
  readonly mark: number
  readonly size: number
}

interface Refusal {
  readonly untilMs: number
  /** A take of less, or of a higher quota, may pass. */
  readonly cost: number
  readonly quota: number
}

/** A flood of keys costs the same as one, and what is asked for stays. With 0 nothing is kept. */
export function createDenyCache(maxKeys: number): DenyCache {
  const refusals = createTwoGenerationMap<Refusal>(maxKeys)
  let mark = 0

  return {
    refusedMs(key, cost, quota, nowMs) {
      const known = refusals.get(key)
      if (!known) return 0
      if (known.untilMs <= nowMs) {
        refusals.delete(key)
        return 0
      }
      return cost >= known.cost && quota <= known.quota ? known.untilMs - nowMs : 0
    },
    put(key, entry, since) {
      if (since !== mark || maxKeys === 0) return
      const known = refusals.get(key)
      if (known && known.untilMs > entry.untilMs) return
      refusals.set(key, entry)
    },
    forget(keys) {
      mark += 1
      if (!keys) refusals.clear()
      for (const key of keys ?? []) refusals.delete(key)
    },
    get mark() {
      return mark
    },
    get size() {
      return refusals.size
    },
  }
}
