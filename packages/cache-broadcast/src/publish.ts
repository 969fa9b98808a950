import type { Script } from '@repo/redis'
import type { Redis } from 'ioredis'
import { MAX_NEWS_BYTES } from './append-script.ts'
import type { createBarriers } from './barrier.ts'
import type { BusErrors } from './bus-errors.ts'
import { checkWait, measureMessage } from './bus-input.ts'
import type { BusKeys } from './keys.ts'
import type { LegacyNews } from './legacy-news.ts'
import type { Delivery } from './link.ts'
import { MAX_ENTRY_BYTES } from './log-reads.ts'
import { encodeEnvelope, type Message } from './message.ts'
import { createPace } from './pace.ts'
import { list, runBatch } from './run-script.ts'

interface Publication {
  script: Script
  message: Message
  /** The message as JSON, where it is made already. */
  body?: string
  /** Keys and arguments of the script's own. */
  keys?: string[]
  args?: (string | number)[]
  wait: 'everywhere' | undefined
}

export type Publish = (publication: Publication) => Promise<Delivery>

export interface PublishOptions {
  keys: BusKeys
  legacy: Pick<LegacyNews, 'flags'>
  member: string
  maxStaleMs: number
  maxMessageBytes: number
  barriers: ReturnType<typeof createBarriers>
  errors: BusErrors
  call: <T>(command: (client: Redis) => Promise<T>) => Promise<T>
  /** Resolves when this instance has applied entry `n`: large messages are sent as fast as it reads. */
  reached: (n: number) => Promise<void>
  now: () => number
}

/** How much longer than the longest lease a barrier waits: clocks do not run alike to the ms. */
const MARGIN_MS = 25

/** Appends to the log and, where asked, waits until no instance can serve anything older (I1). */
export function createPublish({
  keys,
  member,
  legacy,
  errors,
  ...options
}: PublishOptions): Publish {
  const pace = createPace()
  let sent = 0

  return async ({ script, message, body, keys: own = [], args = [], wait }) => {
    checkWait(wait)
    sent += 1
    const origin = `${member}.${sent}`
    const startedAtMs = options.now()
    const payload = encodeEnvelope(origin, wait !== undefined, body ?? JSON.stringify(message))
    // Only an event can be large: the messages of a cache are split before.
    const maxBytes = message.kind === 'event' ? options.maxMessageBytes : MAX_ENTRY_BYTES
    const bytes = measureMessage(payload, maxBytes)
    const names = [keys.meta, keys.log, keys.members, keys.news, ...own]
    const barrier = wait && options.barriers.open(origin)
    try {
      const flags = legacy.flags(barrier !== undefined)
      const reply = await pace({
        bytes,
        run: () =>
          options.call((client) => runBatch(client, script, names, [payload, flags, ...args])),
        hold: bytes > MAX_NEWS_BYTES ? (answer) => options.reached(numberOf(answer)) : undefined,
      })
      errors.succeeded('publish')
      if (!barrier) return { outcome: 'sent', n: Number(reply) }
      const [n, ageMs, ...registrations] = list(reply).map(String)
      const members = registrations.map(fromRegistration)
      // Leases are durations, each counted by its own instance from before it asked Redis; one
      // that did not get this entry asked before it was appended, hence before this reply.
      const longestMs = Math.max(options.maxStaleMs, ...members.map((it) => it.maxStaleMs))
      // A list that Redis lost: who was on it is on the new one before its lease is prolonged, or
      // its lease is over.
      const complete = Number(ageMs) >= longestMs
      const ids = members.map((it) => it.member)
      const { acked, failed, lapsed } = await barrier.settled(ids, longestMs + MARGIN_MS, complete)
      const ms = options.now() - startedAtMs
      return {
        outcome: 'everywhere',
        n: Number(n),
        acked: acked.map(instanceOf),
        failed: failed.map(instanceOf),
        lapsed: lapsed.map(instanceOf),
        ms,
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

/** As a member is listed in Redis. */
export function toRegistration(member: string, maxStaleMs: number): string {
  return `${maxStaleMs}:${member}`
}

/** The lease of a member whose registration cannot be read. */
const UNKNOWN_LEASE_MS = 10_000

function fromRegistration(text: string): { member: string; maxStaleMs: number } {
  const colon = text.indexOf(':')
  const maxStaleMs = Number(text.slice(0, colon))
  const isKnown = maxStaleMs > 0 && maxStaleMs <= 3_600_000
  return { member: text.slice(colon + 1), maxStaleMs: isKnown ? maxStaleMs : UNKNOWN_LEASE_MS }
}

/**
 * A member is one process of an instance. The mark `2-` tells it from a member of the release before,
 * which follows another channel.
 */
export function toMember(instance: string, life: string): string {
  return `${instance}~2-${life}`
}

function instanceOf(member: string): string {
  return member.slice(0, member.lastIndexOf('~'))
}

/** The member that sent a message. */
export function senderOf(origin: string): string {
  return origin.slice(0, origin.lastIndexOf('.'))
}
