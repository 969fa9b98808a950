import { setTimeout as pause } from 'node:timers/promises'
import { limitConnecting, requireDatabase, sendScript } from '@repo/redis'
import type { Redis } from 'ioredis'
import { requireList } from '../../input.ts'
import { type Acks, createReports } from '../barrier/acks.ts'
import type { BusErrors } from '../bus-errors.ts'
import type { BusKeys } from '../keys.ts'
import type { Lease } from '../lease.ts'
import {
  createCursor,
  createEarlyReads,
  type LogEntry,
  type LogHead,
  readHead,
  readLog,
  readNews,
} from './log-reads.ts'
import { join, renew } from './member-scripts.ts'
import type { LegacyNews } from './publish.ts'
import { createRest, createWatch } from './waits.ts'

export interface TailOptions {
  /** Creates a separate connection, which is not connected yet. */
  connect: () => Redis
  keys: BusKeys
  legacy: LegacyNews
  /** The registration in the list of members. */
  registration: string
  /** The channel on which members publish that they have applied the entries of this one. */
  answers: string
  maxStaleMs: number
  registrationMs: number
  lease: Lease
  now: () => number
  /** Returns the time until the next turn, in ms. */
  beatMs: () => number
  onEntry: (entry: LogEntry) => void
  /** @param isJoined false for a connection that may have missed answers */
  onAnswer: (text: string, isJoined: boolean) => void
  /** Entries up to `n` may have been missed. */
  onGap: (n: number) => void
  acks: Pick<Acks, 'takePosition' | 'takeJoinPosition'>
  onJoin: () => void
  errors: BusErrors
}

/** A read of the last number of the log. */
interface Proof {
  readonly sentAtMs: number
  readonly isInFlight: boolean
  /** Whether it has prolonged the lease. */
  readonly done: Promise<boolean>
}

/**
 * Follows the log on a separate connection. A published entry is applied if it is the next one. This is
 * the fast path, and proves nothing. Each turn reads the last number of the log, and then the entries
 * that are missing. An entry that is not provably the next one is a gap (I4).
 */
export function createTail(options: TailOptions) {
  const { keys, legacy, lease, errors, now, maxStaleMs, registrationMs } = options
  const names = [keys.meta, keys.log, keys.members, keys.news]
  const { promise: first, resolve: isFirst } = Promise.withResolvers<void>()
  const rest = createRest()
  const cursor = createCursor(options)
  const early = createEarlyReads()
  const watch = createWatch(Math.min(250, maxStaleMs / 4) + maxStaleMs / 2)
  /** The time at which the list of members of this registration was started. */
  let born = ''
  let renewedAtMs = 0
  const state = { isClosed: false }
  let client: Redis | undefined
  /** The connection, after it has joined: its messages continue the applied entries. */
  let joined: Redis | undefined
  let joinedAtMs = Infinity
  /** The time before the last successful read was sent. */
  let provenAtMs = 0
  let latest: Proof | undefined

  async function follow(): Promise<void> {
    for (let failures = 0; !state.isClosed; failures += 1) {
      let redis: Redis | undefined
      try {
        redis = open()
        await watched(redis, redis.connect())
        await watched(redis, redis.ssubscribe(keys.news, options.answers))
        await joinAt(redis)
        while (!state.isClosed) {
          await turn(redis)
          failures = 0
        }
      } catch (error) {
        lease.end()
        if (!state.isClosed) errors.note('tail', error)
      }
      redis?.disconnect()
      // The first attempt follows at once: most connections are lost while the server is available.
      if (!state.isClosed && failures > 0) await pause(Math.min(10 * 2 ** failures, 500))
    }
  }

  function open(): Redis {
    const redis = options.connect()
    client = redis
    joined = undefined
    redis.on('close', () => {
      // A lease could continue after a lost connection; ending it makes reads go to Redis at once.
      lease.end()
      rest.end()
    })
    redis.on('error', () => undefined) // the rejected call reports it
    // All databases share the channel of the release before: a message on it is only a reason to read
    // the log.
    redis.on('smessage', (channel: string, text: string) => {
      try {
        if (channel === options.answers) options.onAnswer(text, redis === joined)
        else if (redis !== joined) return
        else if (channel === keys.news) receive(readNews(text))
        else if (readNews(text).n > cursor.last()) rest.end()
      } catch (error) {
        // An error in the callback of a socket would end the process.
        errors.note('entry', error)
        rejoin()
      }
    })
    return redis
  }

  /** The server sends messages and replies in the order of its commands. */
  function receive(entry: LogEntry) {
    const { n } = entry
    const last = cursor.last()
    if (n === last + 1) return cursor.apply(entry)
    if (early.has(entry)) return
    // Another entry has a number that was applied: the server was set back.
    if ((n > 0 && n < last) || (n === last && !cursor.isLast(entry))) rejoin()
    else rest.end()
  }

  function rejoin() {
    lease.end()
    client?.disconnect()
  }

  async function joinAt(redis: Redis): Promise<void> {
    const sentAtMs = now()
    const anchor = cursor.anchor()
    const { behind } = options.acks.takeJoinPosition()
    const position = [anchor.n, anchor.sha, legacy.flags(false), behind]
    const args = [options.registration, registrationMs, ...position]
    const [outcome, n, sha, listBorn, older] = requireList(
      await watched(redis, sendScript(redis, join, names, args)),
    )
    if (anchor.n === '' || outcome !== 'ok') cursor.moveTo(Number(n), String(sha))
    born = String(listBorn)
    registered(sentAtMs, n)
    legacy.note(redis, older)
    joined = redis
    joinedAtMs = now()
    options.onJoin()
  }

  async function turn(redis: Redis): Promise<void> {
    const { sentAtMs, done } = startProof(redis)
    await done
    // If this process was stopped for longer than a lease, the next turn follows at once.
    if (now() - sentAtMs < maxStaleMs / 2) await rest.take(options.beatMs())
  }

  function startProof(redis: Redis): Proof {
    const sentAtMs = now()
    const proof = { sentAtMs, isInFlight: true, done: prove(redis, sentAtMs) }
    const end = () => {
      proof.isInFlight = false
    }
    proof.done.then(end, end)
    latest = proof
    return proof
  }

  /**
   * Proves that all entries are applied, for the length of a lease. The lease counts from before the
   * request is sent. The server may reply from then on, and this process may be stopped for any time
   * before it reads the reply.
   */
  async function prove(redis: Redis, sentAtMs: number): Promise<boolean> {
    const before = cursor.last()
    // I1: the renewal is sent first, so the read covers each entry whose barrier did not list this member.
    if (sentAtMs - renewedAtMs > registrationMs * 0.4) void prolong(redis, sentAtMs)
    const head = await watched(redis, readHead(redis, keys.meta))
    // Redis may have lost the log and the list of members without a message on this connection.
    // Joining again finds out.
    if (head.n < before || head.born !== born) throw new Error('the log was lost')
    cursor.note(head.n)
    early.published(head.published)
    while (head.n > cursor.last()) await catchUp(redis, head)
    if (state.isClosed || redis.status !== 'ready') return false
    lease.prolong(sentAtMs + maxStaleMs, now())
    provenAtMs = sentAtMs
    isFirst()
    errors.succeeded('tail')
    return true
  }

  async function catchUp(redis: Redis, { published }: LogHead): Promise<void> {
    const entries = await watched(redis, readLog(redis, keys.log, cursor.last()))
    if (entries.length === 0) throw new Error('the log was cut')
    // Some of them may have been published and applied since.
    for (const entry of entries) {
      if (entry.n <= cursor.last()) continue
      if (entry.n > published) early.add(entry)
      cursor.apply(entry)
    }
  }

  async function prolong(redis: Redis, sentAtMs: number): Promise<void> {
    renewedAtMs = sentAtMs
    try {
      const { n: applied, behind } = options.acks.takePosition()
      const args = [options.registration, registrationMs, applied, behind]
      const [n, older] = requireList(await sendScript(redis, renew, names, args))
      registered(sentAtMs, n)
      errors.succeeded('registration')
      legacy.note(redis, older)
    } catch (error) {
      errors.note('registration', error) // the connection is lost, or a later turn tries again
    }
  }

  function registered(sentAtMs: number, n: unknown) {
    renewedAtMs = sentAtMs
    cursor.note(Number(n))
    // Memory serves nothing unless this member is on the list that a barrier reads.
    lease.limit(sentAtMs + registrationMs - 50)
  }

  function watched<T>(redis: Redis, reply: Promise<T>): Promise<T> {
    return watch(reply, () => redis.disconnect())
  }

  function isJoined(): boolean {
    return joined !== undefined && joined.status === 'ready' && !state.isClosed
  }

  const done = follow()
  return {
    /** Resolves when all entries are applied for the first time. */
    first,
    last: cursor.last,
    behind: cursor.behind,
    reached: (n: number) => cursor.reached(n, maxStaleMs),
    ...createReports({ names, ...options, connection: () => client, joined: () => joined }),
    joinedAtMs: () => (isJoined() ? joinedAtMs : Infinity),
    async renew(sinceMs: number): Promise<boolean> {
      if (!isJoined() || !joined) return false
      if (provenAtMs > sinceMs && now() < lease.untilMs) return true
      // I11: a read that was sent earlier may be older than what the caller must not miss. The turn in flight
      // is not awaited: with a slow event loop, two round trips take longer than a lease.
      const isShared = latest?.isInFlight && latest.sentAtMs > sinceMs
      const connection = joined
      const proof = isShared && latest ? latest : startProof(connection)
      try {
        return (await proof.done) && now() < lease.untilMs
      } catch {
        // The turn of this connection fails too, and reports it. A newer connection stays.
        if (joined === connection) rejoin()
        return false
      }
    },
    /** Joins again, because Redis replied as if it had lost entries. */
    rejoin,
    async close() {
      state.isClosed = true
      rejoin()
      rest.end()
      await done
    },
  }
}

/**
 * A connection for `createTail`, which detects its failures. It uses RESP3, so a subscriber may send
 * commands too.
 */
export function connectTail(client: Redis, member: string): Redis {
  const tail = client.duplicate({
    connectionName: `${member}-tail`,
    protocol: 3,
    lazyConnect: true,
    commandTimeout: undefined,
    socketTimeout: undefined,
    enableAutoPipelining: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  limitConnecting(tail)
  return requireDatabase(tail)
}
