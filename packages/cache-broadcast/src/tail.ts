import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { join, renew } from './bus-scripts.ts'
import type { BusKeys } from './keys.ts'
import type { Lease } from './lease.ts'
import { list, runBatch } from './run-script.ts'
import { readHead, readStreams } from './streams.ts'

/** At most so many entries in one read; who gets as many is not at the end. */
const COUNT = 512

export interface TailOptions {
  /** A new connection for blocking reads, not connected yet. */
  connect: () => Redis
  keys: BusKeys
  /** As it is listed among the members. */
  registration: string
  inbox: string
  maxStaleMs: number
  registrationMs: number
  lease: Lease
  now: () => number
  onEntry: (n: number, text: string) => void
  onInbox: (fields: Map<string, string>) => void
  /** Entries up to `n` may have been missed. */
  onGap: (n: number) => void
  onError: (error: unknown) => void
}

/**
 * Follows the log from where this process joined, on a connection of its own, for ever: the live
 * path and the catching up after a break are the same reads. Whatever cannot be proved to be the
 * next entry is a gap (I4).
 */
export function createTail(options: TailOptions) {
  const { keys, lease, now, maxStaleMs, registrationMs } = options
  const blockMs = Math.min(250, Math.floor(maxStaleMs / 4))
  const { promise: first, resolve: isFirst } = Promise.withResolvers<void>()
  let last = 0
  let lastText: string | undefined
  let lastSha = ''
  let inboxAt = '0-0'
  /** Which list of members this one is on. */
  let born = ''
  let renewedAtMs = 0
  let seen = 0
  const life = { closed: false }
  let client: Redis | undefined

  async function follow(): Promise<void> {
    for (let failures = 0; !life.closed; failures += 1) {
      const redis = options.connect()
      client = redis
      // What was read before the break stays valid for the lease; a reset ends it at once.
      redis.on('close', () => lease.end())
      redis.on('error', () => undefined) // said by the rejected call
      try {
        await watched(redis, redis.connect())
        await joinAt(redis)
        failures = 0
        while (!life.closed) await turn(redis)
      } catch (error) {
        lease.end()
        // Said when it is lost, and not with each try to get it back.
        if (!life.closed && failures === 0) options.onError(error)
      }
      redis.disconnect()
      if (!life.closed) await pause(Math.min(20 * 2 ** failures, 500))
    }
  }

  async function joinAt(redis: Redis): Promise<void> {
    const sentAtMs = now()
    const known = lastText === undefined ? lastSha : sha1(lastText)
    const anchor = last === 0 ? '' : String(last)
    const names = [keys.meta, keys.log, keys.members, options.inbox]
    const args = [options.registration, registrationMs, anchor, known]
    const [state, n, sha, listBorn] = list(await watched(redis, runBatch(redis, join, names, args)))
    if (anchor === '' || state !== 'ok') {
      const missed = anchor !== ''
      last = Number(n)
      lastText = undefined
      lastSha = String(sha)
      if (missed) options.onGap(last)
    }
    born = String(listBorn)
    registered(sentAtMs, n)
  }

  async function turn(redis: Redis): Promise<void> {
    // From before the read was sent: the server may answer from then on, and this process may be
    // stopped for any time before it sees the answer.
    const sentAtMs = now()
    const before = last
    const head = readHead(redis, keys.meta)
    if (sentAtMs - renewedAtMs > registrationMs / 4) void prolong(redis, sentAtMs)
    const from = { [keys.log]: `${last}-0`, [options.inbox]: inboxAt }
    const read = readStreams(redis, { count: COUNT, blockMs, from })
    const [reply, { n, born: bornNow }] = await watched(redis, Promise.all([read, head]))
    for (const { id, fields } of reply.get(options.inbox) ?? []) {
      inboxAt = id
      options.onInbox(fields)
    }
    const entries = reply.get(keys.log) ?? []
    for (const { id, fields } of entries) apply(id, fields.get('d') ?? '')
    if (life.closed || redis.status !== 'ready' || entries.length >= COUNT) return
    // That nothing came proves nothing: the log may have been lost, cut or set back, and the list
    // of members with it, without a word on this connection. Join anew, which settles it.
    if (n < before || n > last || bornNow !== born) throw new Error('the log was lost or cut')
    lease.prolong(sentAtMs + maxStaleMs, now())
    isFirst()
  }

  function apply(id: string, text: string) {
    const n = Number(id.slice(0, id.indexOf('-')))
    if (n !== last + 1) options.onGap(n)
    last = n
    lastText = text
    seen = Math.max(seen, n)
    options.onEntry(n, text)
  }

  async function prolong(redis: Redis, sentAtMs: number): Promise<void> {
    renewedAtMs = sentAtMs
    const names = [keys.meta, keys.log, keys.members, options.inbox]
    try {
      const n = await runBatch(redis, renew, names, [options.registration, registrationMs])
      registered(sentAtMs, n)
    } catch (error) {
      options.onError(error) // the connection is gone, or the next turn tries again
    }
  }

  function registered(sentAtMs: number, n: unknown) {
    renewedAtMs = sentAtMs
    seen = Math.max(seen, Number(n))
    // Never trust what is kept here without being on the list that a barrier goes by.
    lease.limit(sentAtMs + registrationMs - 50)
  }

  /** A server that says nothing for longer than a read may block is gone, said or not. */
  async function watched<T>(redis: Redis, reply: Promise<T>): Promise<T> {
    let settled = false
    const timer = setTimeout(
      () => {
        // Once more round the loop: after a stall the answer may be here already, unread.
        setImmediate(() => {
          if (!settled) redis.disconnect()
        })
      },
      blockMs + maxStaleMs / 2,
    )
    try {
      return await reply
    } finally {
      settled = true
      clearTimeout(timer)
    }
  }

  const done = follow()
  return {
    /** Resolves when everything up to now is known for the first time. */
    first,
    last: () => last,
    behind: () => Math.max(0, seen - last),
    /** Redis answered as if it had forgotten entries: find out by joining anew. */
    rejoin() {
      lease.end()
      client?.disconnect()
    },
    async close() {
      life.closed = true
      lease.end()
      client?.disconnect()
      await done
    },
  }
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms))
}
