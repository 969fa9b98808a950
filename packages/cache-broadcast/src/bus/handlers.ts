import { CacheError } from '../errors.ts'
import { checkSubscription, readOptions } from '../input.ts'
import { within } from './lease.ts'

/** Receives the data of an event. A barrier also waits for the returned promise. */
export type EventHandler = (data: unknown) => void | Promise<void>

/** Options of a subscription. */
export interface Subscription {
  /** Events may have been missed: the subscriber must read its source again. */
  onResync?: () => void | Promise<void>
}

/** Runs the handlers of a bus. A handler that throws or hangs does not affect another handler. */
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

  /** Only time in which this process runs counts against a handler. */
  function inTime(done: Promise<void>): Promise<void> {
    const message = `a handler did not settle within ${timeoutMs} ms`
    return within(timeoutMs, done, () => new CacheError('timeout', message))
  }

  return {
    /** @throws CacheError `bad-key`, `bad-option` */
    on(event: string, handler: EventHandler, subscription?: Subscription): () => void {
      const { onResync } = readOptions('on', subscription)
      checkSubscription(event, handler, onResync)
      const handlers = subscribers.get(event) ?? new Set()
      subscribers.set(event, handlers)
      const subscriber = { handler, onResync }
      handlers.add(subscriber)
      return () => void handlers.delete(subscriber)
    },
    /** Returns whether all handlers of the event have succeeded. */
    async run(event: string, data: unknown): Promise<boolean> {
      const handlers = [...(subscribers.get(event) ?? [])]
      const done = await Promise.all(handlers.map(({ handler }) => settle(() => handler(data))))
      return done.every(Boolean)
    },
    resync() {
      for (const handlers of subscribers.values()) {
        for (const { onResync } of handlers) if (onResync) void settle(onResync)
      }
    },
  }
}
