import { randomUUID } from 'node:crypto'
import { runInBackground } from '@repo/concurrency'
import type { ConnectionLog, RedisConnection } from '@repo/redis'
import type { Redis } from 'ioredis'
import { decodeAnswer, encodeAnswer } from './answer.ts'
import { createBarriers } from './barrier.ts'
import type { Bus } from './bus-api.ts'
import { emit, leave } from './bus-scripts.ts'
import { createClock } from './clock.ts'
import { CacheError, toCacheError } from './errors.ts'
import { createHandlers } from './handlers.ts'
import { createInvalidations } from './invalidations.ts'
import { busKeys } from './keys.ts'
import { createLease } from './lease.ts'
import { createLegacyNews } from './legacy-news.ts'
import type { Sink } from './link.ts'
import { decodeMessage, encodeMessage, type Envelope, type Message } from './message.ts'
import { checkName } from './names.ts'
import { createPublish, senderOf, toMember, toRegistration } from './publish.ts'
import { createRedisStore } from './redis-store.ts'
import { runBatch } from './run-script.ts'
import { createSinks } from './sinks.ts'
import { createTagged } from './tagged.ts'
import { connectTail } from './tail-connection.ts'
import { createTail } from './tail.ts'

/** What a bus on Redis needs; see the README for the defaults. */
export interface BusOptions {
  redis: RedisConnection
  /** All buses of this name on this Redis are one. */
  name: string
  /** This instance's id, unique in the cluster: how it is named in a `Delivery`. */
  instance: string
  /** How long an instance that is cut off trusts what it keeps, in ms; the same on all instances. */
  maxStaleMs?: number
  /** How long a load may be thought to run when its instance says nothing, in ms. */
  claimMs?: number
  log?: ConnectionLog
}

/**
 * One way to tell every instance something: a numbered log in Redis that each instance follows on a
 * connection of its own. What is sent is applied by all in the same order; who cannot prove to
 * have it all forgets what it keeps and says `resync`.
 *
 * @throws CacheError `bad-option`
 */
export function createBus(options: BusOptions): Bus {
  const { redis, instance, maxStaleMs = 1_000, claimMs = 300, log } = options
  checkName('bus', options.name)
  if (!(maxStaleMs >= 100)) throw new CacheError('bad-option', 'maxStaleMs must be 100 or more')
  const keys = busKeys(options.name, redis)
  const clock = createClock()
  const lease = createLease()
  const member = toMember(instance, randomUUID().slice(0, 8))
  const barriers = createBarriers()
  const sinks = createSinks()
  const onError = (error: unknown) =>
    log?.warn({ event: 'bus.error', bus: options.name, err: error }, 'the bus met an error')
  const handlers = createHandlers({ timeoutMs: maxStaleMs / 2, onError })
  const health = { resyncs: 0, closed: false }

  async function call<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    if (health.closed) throw new CacheError('closed', 'the bus was closed')
    try {
      return await redis.call(command)
    } catch (error) {
      throw toCacheError(error)
    }
  }

  function resync(n: number) {
    health.resyncs += 1
    sinks.clear(n)
    // The list may be lost with the entries.
    runInBackground('cache.tags', () => tagged.ensure(), log)
    handlers.resync()
    log?.info({ event: 'bus.resync', bus: options.name, n }, 'entries were missed: started over')
  }

  function onEntry(n: number, text: string) {
    const envelope = decodeMessage(text)
    // Of a later version: whatever it invalidates is forgotten with all else.
    if (!envelope) return resync(n)
    const { message } = envelope
    sinks.apply(message, n)
    if (message.kind === 'left') barriers.left(message.member)
    if (message.kind === 'event') void runHandlers(envelope, message)
    else if (envelope.ack) acknowledge(envelope.origin, true)
  }

  async function runHandlers({ origin, ack }: Envelope, message: Message & { kind: 'event' }) {
    const done = await handlers.run(message.event, message.data)
    if (ack) acknowledge(origin, done)
  }

  function acknowledge(origin: string, applied: boolean) {
    const sender = senderOf(origin)
    if (sender === member) return barriers.answered(origin, member, applied)
    void tail.answer(keys.answers(sender), encodeAnswer({ origin, member, applied }))
  }

  const legacy = createLegacyNews(keys.legacyNews, onError)
  const tail = createTail({
    legacy,
    connect: () => connectTail(redis.client, member),
    keys,
    registration: toRegistration(member, maxStaleMs),
    answers: keys.answers(member),
    maxStaleMs,
    registrationMs: maxStaleMs * 2,
    lease,
    now: () => clock.exact(),
    onEntry,
    onAnswer(text) {
      const { origin, member: from, applied } = decodeAnswer(text)
      barriers.answered(origin, from, applied)
    },
    onGap: resync,
    onError,
  })

  const publish = createPublish({
    keys,
    legacy,
    member,
    maxStaleMs,
    barriers,
    call,
    now: () => clock.exact(),
  })
  const tagged = createTagged({
    meta: keys.meta,
    names: () => sinks.tagged,
    call,
    joins: () => lease.lapses,
    now: () => clock.exact(),
  })
  const invalidations = createInvalidations({
    keys,
    publish,
    apply: (message, n) => sinks.apply(message, n),
    tagged: () => tagged.text(),
  })

  return {
    name: options.name,
    ...invalidations,
    emit: (event, data, { wait } = {}) =>
      publish({ script: emit, message: { kind: 'event', event, data }, wait }),
    on: (event, handler, subscription) => handlers.on(event, handler, subscription),
    health: () => ({
      leaseMsLeft: Math.max(0, lease.untilMs - clock.exact()),
      behind: tail.behind(),
      lastN: tail.last(),
      resyncs: health.resyncs,
    }),
    async ready(timeoutMs = 2_000) {
      const late = Promise.withResolvers<never>()
      const error = new CacheError('unavailable', `the bus was not joined within ${timeoutMs} ms`)
      const timer = setTimeout(() => late.reject(error), timeoutMs)
      await Promise.race([tail.first, late.promise]).finally(() => clearTimeout(timer))
    },
    async close() {
      if (health.closed) return
      const payload = encodeMessage(`${member}.0`, false, { kind: 'left', member })
      const names = [keys.meta, keys.log, keys.members, keys.news]
      const args = [payload, legacy.flags(false), toRegistration(member, maxStaleMs)]
      await tail.close()
      // Unsaid, others wait for this instance until its registration is over.
      await call((client) => runBatch(client, leave, names, args)).catch(onError)
      health.closed = true
    },
    link: {
      clock,
      lease,
      log,
      applied: () => tail.last(),
      claimMs,
      attach(sink: Sink) {
        if (sink.hasTags && !sinks.tagged.has(sink.cache)) tagged.changed()
        return sinks.attach(sink)
      },
      store: (cache, { hasTags = false } = {}) =>
        createRedisStore({
          ...{ cache, keys, claimMs, call, publish },
          applied: () => tail.last(),
          ensureListed: () => (hasTags ? tagged.ensure() : undefined),
          onRegress: () => tail.rejoin(),
        }),
    },
  }
}
