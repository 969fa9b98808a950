import type { Decoded, Encoded } from './codec.ts'
import type { Ticket } from './fences.ts'
import type { Entry, LocalStore } from './memory-level.ts'
import type { Settings } from './options.ts'

/** Estimated memory of an entry beside its JSON and key, in bytes; `bench/memory.ts` measures it. */
const OVERHEAD = 180

export type Keeper<T> = ReturnType<typeof createKeeper<T>>

/** Puts values into the first level, if nothing that has arrived meanwhile forbids it. */
export function createKeeper<T>({
  local,
  settings,
  now,
}: {
  local: LocalStore<T>
  settings: Settings<T>
  now: () => number
}) {
  const { localTtlMs, staleMs, failSafeMs, retryAfterMs, jitter } = settings

  /** Spreads a life by the cache's jitter. */
  function spread(ms: number): number {
    return ms * (1 + jitter * (2 * Math.random() - 1))
  }

  /** @param freshMs what is left of its freshness; below 0: for how long it is no longer fresh */
  function keep(
    ticket: Ticket,
    { value, tags }: { value: T | undefined; tags: string[] },
    { version, freshMs, size }: { version: number; freshMs: number; size: number },
  ): void {
    // I2: an invalidation overtook this value on its way.
    if (ticket.fence > version) return
    const atMs = Math.floor(now())
    const staleUntilMs = atMs + Math.floor(freshMs + staleMs)
    local.put(ticket.key, {
      value,
      promise: undefined,
      version,
      freshUntilMs: atMs + Math.floor(Math.min(freshMs, spread(localTtlMs))),
      staleUntilMs,
      endsAtMs: staleUntilMs + Math.floor(failSafeMs),
      used: false,
      bytes: (size + ticket.key.length) * 2 + OVERHEAD,
      tags,
    })
  }

  return {
    spread,
    keepLoaded(ticket: Ticket, it: Encoded<T>, version: number, freshMs: number): void {
      keep(ticket, it, { version, freshMs, size: it.rest.length })
    },
    keepStored(ticket: Ticket, it: Decoded<T>, nowMs: number): void {
      const { version, size } = it
      keep(ticket, it, { version, freshMs: it.freshUntilMs - nowMs, size })
    },
    /** A load failed and this bridges it: leave the source alone for a while. */
    keepBridging(entry: Entry<T>): void {
      const retryAtMs = Math.floor(now() + retryAfterMs)
      local.postpone(entry, retryAtMs)
      entry.staleUntilMs = Math.max(entry.staleUntilMs, Math.min(retryAtMs, entry.endsAtMs))
    },
  }
}
