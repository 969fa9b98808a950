import { setTimeout as pause } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { join, renew } from './bus-scripts.ts'
import { type LogEntry, readHead, readLog, readNews, sha1, tell } from './log-reads.ts'
import { createRest } from './rest.ts'
import { list, runBatch } from './run-script.ts'
import type { TailOptions } from './tail-options.ts'
import { watch } from './watch.ts'

/**
 * Follows the log from where this process joined, on a connection of its own, for ever. An entry is
 * told to it as it is added, and applied if it is the next one. That is only the quick way: what is
 * trusted is the last number of the log, asked for again and again, and whatever is missing up to
 * it is read from the log. What cannot be proved to be the next entry is a gap (I4).
 */
export function createTail(options: TailOptions) {
  const { keys, legacy, lease, now, maxStaleMs, registrationMs } = options
  const names = [keys.meta, keys.log, keys.members, keys.news]
  const beatMs = Math.min(250, Math.floor(maxStaleMs / 4))
  const { promise: first, resolve: isFirst } = Promise.withResolvers<void>()
  const rest = createRest()
  let last = 0
  let lastText: string | undefined
  let lastSha = ''
  /** Which list of members this one is on. */
  let born = ''
  let renewedAtMs = 0
  /** An entry was applied in part: nothing older than the next join may be trusted. */
  let isInDoubt = false
  let seen = 0
  const life = { closed: false }
  let client: Redis | undefined
  /** The connection whose news continue what is known: only once it has joined. */
  let joined: Redis | undefined

  async function follow(): Promise<void> {
    for (let failures = 0; !life.closed; failures += 1) {
      let redis: Redis | undefined
      try {
        redis = open()
        await watched(redis, redis.connect())
        await watched(redis, redis.ssubscribe(keys.news, options.answers))
        await joinAt(redis)
        failures = 0
        while (!life.closed) {
          await turn(redis)
          await rest.take(beatMs)
        }
      } catch (error) {
        lease.end()
        // Said when it is lost, and not with each try to get it back.
        if (!life.closed && failures === 0) options.onError(error)
      }
      redis?.disconnect()
      if (!life.closed) await pause(Math.min(20 * 2 ** failures, 500))
    }
  }

  function open(): Redis {
    const redis = options.connect()
    client = redis
    joined = undefined
    redis.on('close', () => {
      // What was read before the break stays valid for the lease; a reset ends it at once.
      lease.end()
      rest.end()
    })
    redis.on('error', () => undefined) // said by the rejected call
    // The channel of the release before is shared by all databases: what is published there is only a
    // reason to read the log.
    redis.on('smessage', (channel: string, text: string) => {
      try {
        if (channel === options.answers) options.onAnswer(text)
        else if (redis !== joined) return
        else if (channel === keys.news) hear(readNews(text))
        else if (readNews(text).n > last) rest.end()
      } catch (error) {
        // Thrown in the callback of a socket, it would end the process.
        options.onError(error)
        rejoin()
      }
    })
    return redis
  }

  /** The server tells news and answers in the order in which it did what they are about. */
  function hear({ n, text }: LogEntry) {
    if (n === last + 1) return apply(n, text)
    if (n > seen) seen = n
    // Numbered again, and something else: the server was set back.
    if (n < last || (n === last && sha1(text) !== shaOfLast())) rejoin()
    else rest.end()
  }

  function rejoin() {
    lease.end()
    client?.disconnect()
  }

  async function joinAt(redis: Redis): Promise<void> {
    const sentAtMs = now()
    const anchor = last === 0 || isInDoubt ? '' : String(last)
    const args = [options.registration, registrationMs, anchor, shaOfLast(), legacy.flags(false)]
    const [state, n, sha, listBorn, older] = list(
      await watched(redis, runBatch(redis, join, names, args)),
    )
    if (anchor === '' || state !== 'ok') {
      const missed = anchor !== '' || isInDoubt
      last = Number(n)
      lastText = undefined
      lastSha = String(sha)
      if (missed) options.onGap(last)
      isInDoubt = false
    }
    born = String(listBorn)
    registered(sentAtMs, n)
    legacy.note(redis, older)
    joined = redis
  }

  async function turn(redis: Redis): Promise<void> {
    // From before the question was sent: the server may answer from then on, and this process may
    // be stopped for any time before it sees the answer.
    const sentAtMs = now()
    const before = last
    const asked = readHead(redis, keys.meta)
    if (sentAtMs - renewedAtMs > registrationMs / 4) void prolong(redis, sentAtMs)
    const head = await watched(redis, asked)
    // That nothing came proves nothing: the log may have been lost, cut or set back, and the list
    // of members with it, without a word on this connection. Join anew, which settles it.
    if (head.n < before || head.born !== born) throw new Error('the log was lost')
    while (head.n > last) await catchUp(redis)
    if (life.closed || redis.status !== 'ready') return
    lease.prolong(sentAtMs + maxStaleMs, now())
    isFirst()
  }

  async function catchUp(redis: Redis): Promise<void> {
    const from = last
    const entries = await watched(redis, readLog(redis, keys.log, from))
    if (entries.length === 0) throw new Error('the log was cut')
    // Meanwhile some may have been told.
    for (const { n, text } of entries) if (n > last) apply(n, text)
  }

  function apply(n: number, text: string) {
    isInDoubt = true
    if (n !== last + 1) options.onGap(n)
    last = n
    lastText = text
    seen = Math.max(seen, n)
    options.onEntry(n, text)
    isInDoubt = false
  }

  function shaOfLast(): string {
    return lastText === undefined ? lastSha : sha1(lastText)
  }

  async function prolong(redis: Redis, sentAtMs: number): Promise<void> {
    renewedAtMs = sentAtMs
    try {
      const args = [options.registration, registrationMs]
      const [n, older] = list(await runBatch(redis, renew, names, args))
      registered(sentAtMs, n)
      legacy.note(redis, older)
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

  function watched<T>(redis: Redis, reply: Promise<T>): Promise<T> {
    return watch(reply, beatMs + maxStaleMs / 2, () => redis.disconnect())
  }

  const done = follow()
  return {
    /** Resolves when everything up to now is known for the first time. */
    first,
    last: () => last,
    behind: () => Math.max(0, seen - last),
    /** On the connection that heard the entry: it is there whenever there is something to answer. */
    answer: (channel: string, text: string) => tell(client, channel, text).catch(options.onError),
    /** Redis answered as if it had forgotten entries: find out by joining anew. */
    rejoin,
    async close() {
      life.closed = true
      rejoin()
      rest.end()
      await done
    },
  }
}
