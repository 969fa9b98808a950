import { checkSubscription, readOptions } from './bus-input.ts'
import { CacheError } from './errors.ts'
import { within } from './watch.ts'

/** What a subscriber does with an event's data; an awaited answer is awaited by a barrier too. */
export type EventHandler = (data: unknown) => void | Promise<void>

/** What else a subscriber wants to know. */
export interface Subscription {
  /** Events may have been missed: read the truth anew. */
  onResync?: () => void | Promise<void>
}

/** The subscribers of a bus. One that throws or hangs disturbs no other. */
export function createHandlers({
  timeoutMs,
  onError,
}: {
  timeoutMs: number
  onError: (error: unknown) => void
}) {
  const subscribers = new Map<
    string,
    Set<{ handler: EventHandler; onResync: Subscription['onResync'] }>
  >()

  async function settle(call: () => void | Promise<void>): Promise<boolean> {
    try {
      const done = call()
      if (done !== undefined) await inTime(done)
      return true
    } catch (error) {
      onError(error)
      return false
    }
  }

  /** A handler can do nothing while this process does not run. */
  function inTime(done: Promise<void>): Promise<void> {
    const message = `a handler did not settle within ${timeoutMs} ms`
    return within(timeoutMs, done, () => new CacheError('timeout', message))
  }

  return {
    /** @throws CacheError `bad-key`, `bad-option` */
    on(event: string, handler: EventHandler, subscription?: Subscription): () => void {
      const { onResync } = readOptions('on', subscription)
      checkSubscription(event, handler, onResync)
      const of = subscribers.get(event) ?? new Set()
      subscribers.set(event, of)
      const subscriber = { handler, onResync }
      of.add(subscriber)
      return () => void of.delete(subscriber)
    },
    /** Whether all handlers of the event have done their work. */
    async run(event: string, data: unknown): Promise<boolean> {
      const of = [...(subscribers.get(event) ?? [])]
      const done = await Promise.all(of.map(({ handler }) => settle(() => handler(data))))
      return done.every(Boolean)
    },
    resync() {
      for (const of of subscribers.values()) {
        for (const { onResync } of of) if (onResync) void settle(onResync)
      }
    },
  }
}
