import type { Script } from '@repo/redis'
import type { Redis } from 'ioredis'
import type { createBarriers } from './barrier.ts'
import type { BusKeys } from './keys.ts'
import type { LegacyNews } from './legacy-news.ts'
import type { Delivery } from './link.ts'
import { encodeMessage, type Message } from './message.ts'
import { list, runBatch } from './run-script.ts'

interface Publication {
  script: Script
  message: Message
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
  barriers: ReturnType<typeof createBarriers>
  call: <T>(command: (client: Redis) => Promise<T>) => Promise<T>
  now: () => number
}

/** How much longer than the longest lease a barrier waits: clocks do not run alike to the ms. */
const MARGIN_MS = 25

/** Appends to the log and, where asked, waits until no instance can serve anything older (I1). */
export function createPublish({ keys, member, legacy, ...options }: PublishOptions): Publish {
  let sent = 0

  return async ({ script, message, keys: own = [], args = [], wait }) => {
    sent += 1
    const origin = `${member}.${sent}`
    const startedAtMs = options.now()
    const payload = encodeMessage(origin, wait !== undefined, message)
    const names = [keys.meta, keys.log, keys.members, keys.news, ...own]
    const barrier = wait && options.barriers.open(origin)
    try {
      const reply = await options.call((client) =>
        runBatch(client, script, names, [payload, legacy.flags(barrier !== undefined), ...args]),
      )
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
    } finally {
      if (barrier) barrier.close()
    }
  }
}

/** As a member is listed in Redis. */
export function toRegistration(member: string, maxStaleMs: number): string {
  return `${maxStaleMs}:${member}`
}

function fromRegistration(text: string): { member: string; maxStaleMs: number } {
  const colon = text.indexOf(':')
  return { member: text.slice(colon + 1), maxStaleMs: Number(text.slice(0, colon)) }
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
