import { CacheError } from './errors.ts'

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
  const subscribers = new Map<string, Set<{ handler: EventHandler } & Subscription>>()

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

  async function inTime(done: Promise<void>): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>()
    const giveUp = () =>
      reject(new CacheError('timeout', `a handler did not settle within ${timeoutMs} ms`))
    const timer = setTimeout(giveUp, timeoutMs)
    try {
      await Promise.race([done, promise])
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    on(event: string, handler: EventHandler, subscription: Subscription = {}): () => void {
      const of = subscribers.get(event) ?? new Set()
      subscribers.set(event, of)
      const subscriber = { handler, ...subscription }
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
