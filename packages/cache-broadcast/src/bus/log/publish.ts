import { createPace } from '@repo/concurrency'
import { sendScript } from '@repo/redis'
import type { Redis } from 'ioredis'
import { CacheError } from '../../errors.ts'
import { checkWait, measureMessage, requireList } from '../../input.ts'
import type { createBarriers } from '../barrier/barriers.ts'
import { fromRegistration, instanceOf, toOrigin } from '../barrier/member.ts'
import { publishDeferred, type Tally } from '../barrier/tally.ts'
import type { BusErrors } from '../bus-errors.ts'
import type { BusKeys } from '../keys.ts'
import { encodeEnvelope } from '../message.ts'
import type { Publish } from '../types.ts'
import { MAX_NEWS_BYTES } from './append-script.ts'
import { MAX_ENTRY_BYTES } from './log-reads.ts'

export interface PublishOptions {
  keys: BusKeys
  legacy: Pick<LegacyNews, 'flags'>
  member: string
  maxStaleMs: number
  maxMessageBytes: number
  barriers: ReturnType<typeof createBarriers>
  errors: BusErrors
  call: <T>(command: (client: Redis) => Promise<T>) => Promise<T>
  /** Resolves when this instance has applied entry `n`, so that large messages are sent at its pace. */
  reached: (n: number) => Promise<void>
  /** Reads which members have applied an entry, after all answers that were sent before. */
  lookUp: (n: number) => Promise<Tally | undefined>
  now: () => number
}

/** The time for which a barrier waits after the longest lease: clocks differ by some ms. */
const MARGIN_MS = 25

/** Appends messages to the log. A barrier waits until no instance can serve an older value (I1). */
export function createPublish({
  keys,
  member,
  legacy,
  errors,
  ...options
}: PublishOptions): Publish {
  const pace = createPace()
  const names = [keys.meta, keys.log, keys.members, keys.news]
  let sent = 0

  /** One timer for all entries of this process whose publication Redis deferred. */
  let flushing: NodeJS.Timeout | undefined

  function flushIn(ms: number): void {
    flushing ??= setTimeout(() => void flush(), ms)
  }

  async function flush(): Promise<void> {
    flushing = undefined
    try {
      await options.call((client) => sendScript(client, publishDeferred, names, []))
    } catch (error) {
      // Every instance reads the log at least twice a second, and a closed bus has published all entries.
      if (!(error instanceof CacheError && error.code === 'closed')) errors.note('publish', error)
    }
  }

  return async ({ script, message, body, keys: scriptKeys = [], args = [], wait }) => {
    checkWait(wait)
    sent += 1
    const origin = toOrigin(member, sent)
    const startedAtMs = options.now()
    const payload = encodeEnvelope(origin, wait !== undefined, body ?? JSON.stringify(message))
    const isEvent = message.kind === 'event'
    // Only an event can be large: the messages of a cache are split earlier.
    const bytes = measureMessage(payload, isEvent ? options.maxMessageBytes : MAX_ENTRY_BYTES)
    const barrier = wait && options.barriers.open(origin, isEvent)
    try {
      const flags = legacy.flags(barrier !== undefined) + (barrier ? keys.answers(member) : '')
      const scriptArgs = [payload, flags, ...args]
      const reply = await pace({
        bytes,
        run: () =>
          options.call((client) =>
            sendScript(client, script, [...names, ...scriptKeys], scriptArgs),
          ),
        hold: bytes > MAX_NEWS_BYTES ? (answer) => options.reached(numberOf(answer)) : undefined,
      })
      errors.succeeded('publish')
      if (!barrier) return { outcome: 'sent', n: Number(reply) }
      const [number, born = '', ageMs, deferMs, ...registrations] = requireList(reply).map(String)
      if (Number(deferMs) > 0) flushIn(Number(deferMs))
      const n = Number(number)
      const members = registrations.map(fromRegistration)
      // A lease is a duration that its instance counts from before its read of the log. An instance
      // without this entry sent its last read before the entry was appended, so before this reply.
      const longestMs = Math.max(
        options.maxStaleMs,
        ...members.map((registration) => registration.maxStaleMs),
      )
      // Redis may have lost an earlier list. A member of that list joins the new one before it prolongs
      // its lease, or its lease has ended.
      const isComplete = Number(ageMs) >= longestMs
      const sentEntry = { n, born, members, isComplete, timeoutMs: longestMs + MARGIN_MS }
      const { acked, failed, lapsed } = await barrier.settled(sentEntry, options.lookUp)
      return {
        outcome: 'everywhere',
        n,
        acked: acked.map(instanceOf),
        failed: failed.map(instanceOf),
        lapsed: lapsed.map(instanceOf),
        ms: options.now() - startedAtMs,
      }
    } catch (error) {
      errors.note('publish', error)
      throw error
    } finally {
      if (barrier) barrier.close()
    }
  }
}

/** The number of the entry that a script of `publishing` has appended. */
function numberOf(reply: unknown): number {
  return Number(Array.isArray(reply) ? reply[0] : reply)
}

export type LegacyNews = ReturnType<typeof createLegacyNews>

/**
 * Serves the channel of the release before while a member of that release is registered. The name of
 * the channel has no database number. It costs a second message per entry.
 * @param channel undefined: the channel is never served
 */
export function createLegacyNews(channel: string | undefined, onError: (error: unknown) => void) {
  let isServed = false
  /** The connection that follows the channel. */
  let follower: Redis | undefined

  return {
    channel,
    /** @param members the number of listed members of the release before */
    note(redis: Redis, members: unknown): void {
      if (channel === undefined) return
      isServed = Number(members) > 0
      if (isServed === (follower === redis)) return
      follower = isServed ? redis : undefined
      const changed = isServed ? redis.ssubscribe(channel) : redis.sunsubscribe(channel)
      changed.catch(onError)
    },
    /** Flags for a script that appends: 1 the sender waits for all members, 2 this channel too, 3 both. */
    flags(waits: boolean): string {
      if (isServed) return waits ? '3' : '2'
      return waits ? '1' : '0'
    },
  }
}
