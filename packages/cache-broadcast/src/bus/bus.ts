import { randomUUID } from 'node:crypto'
import { type RedisConnection, sendScript } from '@repo/redis'
import type { Redis } from 'ioredis'
import { CacheError, toCacheError } from '../errors.ts'
import {
  checkBusOptions,
  checkEvent,
  checkWhole,
  DEFAULT_MESSAGE_BYTES,
  encodeData,
  readOptions,
} from '../input.ts'
import { createAcks } from './barrier/acks.ts'
import { createBarriers } from './barrier/barriers.ts'
import { decodeAnswer, toMember, toRegistration } from './barrier/member.ts'
import { createBusErrors } from './bus-errors.ts'
import { createEntries, createSinks } from './entries.ts'
import { createHandlers } from './handlers.ts'
import { createInvalidations, createTagged } from './invalidations.ts'
import { busKeys } from './keys.ts'
import { createBeat, createClock, createLease, within } from './lease.ts'
import { emit, forward, leave } from './log/member-scripts.ts'
import { createLegacyNews, createPublish } from './log/publish.ts'
import { connectTail, createTail } from './log/tail.ts'
import { encodeEnvelope, encodeEvent } from './message.ts'
import type { Bus, BusOptions, Sink } from './types.ts'

/**
 * A bus to every instance: a numbered log in Redis that each instance follows on a separate connection.
 * All instances apply the messages in the same order. An instance that cannot prove that it has all
 * messages drops its values and calls `onResync`.
 *
 * @throws CacheError `bad-option`
 */
export function createBus(options: BusOptions): Bus {
  const { maxStaleMs = 1_000, claimMs = 300, maxMessageBytes = DEFAULT_MESSAGE_BYTES } = options
  checkBusOptions({ ...options, maxStaleMs, claimMs, maxMessageBytes })
  const { redis, instance, log } = options
  const keys = busKeys(options.name, redis)
  const clock = createClock()
  const lease = createLease(() => tagged.list())
  const member = toMember(instance, randomUUID().slice(0, 8))
  const barriers = createBarriers()
  const sinks = createSinks()
  const errors = createBusErrors({ bus: options.name, log, now: () => clock.exact() })
  const onError = (work: string) => (error: unknown) => errors.note(work, error)
  const handlers = createHandlers({ timeoutMs: maxStaleMs / 2, onError: onError('handler') })
  const state = { resyncs: 0, isClosed: false }

  const call = createCall(redis, () => state.isClosed)

  function resync(n: number) {
    state.resyncs += 1
    sinks.clear(n)
    // Redis may have lost the list with the entries.
    tagged.list()
    handlers.resync()
    const fields = { event: 'bus.resync', bus: options.name, n }
    log?.info(fields, 'entries of the log were missed: all values are dropped')
  }

  const acks = createAcks({
    member,
    keys,
    registrationMs: maxStaleMs * 2,
    last: () => tail.last(),
    answer: (channel, text) => tail.answer(channel, text),
    answerSelf: (origin, applied) => barriers.answered(origin, member, applied),
    tally: ({ n, behind, wasBehind }) => void tail.tally([n, behind, wasBehind ? '1' : '', '']),
  })

  function missed(n: number) {
    acks.missed()
    resync(n)
  }

  async function rejoined() {
    barriers.interrupted()
    const { n, behind } = acks.rejoined()
    const tally = await tail.tally([n, behind, '1', '1'])
    if (tally !== undefined) barriers.tallied(tally)
  }

  const legacy = createLegacyNews(keys.legacyNews, onError('legacy news'))
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
    beatMs: createBeat(maxStaleMs, clock),
    onEntry: createEntries({ sinks, handlers, barriers, errors, resync, acks }),
    onAnswer(text, isJoined) {
      if (!text.startsWith('[')) return isJoined ? barriers.tallied(text) : undefined
      const { origin, member: from, applied } = decodeAnswer(text)
      barriers.answered(origin, from, applied)
    },
    onGap: missed,
    acks,
    onJoin: () => void rejoined(),
    errors,
  })

  const publish = createPublish({
    keys,
    legacy,
    member,
    maxStaleMs,
    maxMessageBytes,
    barriers,
    errors,
    reached: (n) => tail.reached(n),
    lookUp: (n) => tail.lookUp(n),
    call,
    now: () => clock.exact(),
  })
  const tagged = createTagged({
    meta: keys.meta,
    sinks,
    call,
    lease,
    log,
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
    async emit(event, data, delivery) {
      checkEvent(event)
      const { wait } = readOptions('emit', delivery)
      const body = encodeEvent(event, encodeData(data))
      return publish({ script: emit, message: { kind: 'event', event, data }, body, wait })
    },
    on: (event, handler, subscription) => handlers.on(event, handler, subscription),
    health: () => ({
      leaseMsLeft: Math.max(0, lease.untilMs - clock.exact()),
      behind: tail.behind(),
      lastN: tail.last(),
      resyncs: state.resyncs,
      unknown: errors.counts.unknown,
      refused: errors.counts.refused,
      refusal: errors.refusal(),
    }),
    async ready(timeoutMs = 2_000) {
      checkWhole('timeoutMs', timeoutMs, 1)
      await within(timeoutMs, tail.first, () => {
        const reason = errors.refusal() ?? 'Redis is unreachable'
        const message = `the bus was not joined within ${timeoutMs} ms: ${reason}`
        return new CacheError('unavailable', message)
      })
    },
    async close() {
      if (state.isClosed) return
      const body = JSON.stringify({ kind: 'left', member })
      const payload = encodeEnvelope(`${member}.0`, false, body)
      const names = [keys.meta, keys.log, keys.members, keys.news]
      const args = [payload, legacy.flags(false), toRegistration(member, maxStaleMs)]
      await tail.close()
      // If this fails, barriers wait for this instance until its registration has ended.
      await call((client) => sendScript(client, leave, names, args)).catch(onError('leave'))
      state.isClosed = true
    },
    link: {
      clock,
      lease,
      log,
      applied: () => tail.last(),
      joinedAtMs: () => tail.joinedAtMs(),
      renew: (sinceMs) => tail.renew(sinceMs),
      claimMs,
      maxMessageBytes,
      forward: (body) =>
        publish({ script: forward, message: { kind: 'floor' }, body, wait: undefined }),
      attach: (sink: Sink) => tagged.attach(sink),
      publish,
      redis: {
        keys,
        call,
        ensureListed: () => tagged.ensure(),
        rejoin: () => tail.rejoin(),
      },
    },
  }
}

/** Runs commands within the deadline of the connection (I9), with the errors of this package. */
function createCall(redis: RedisConnection, isClosed: () => boolean) {
  return function call<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    if (isClosed()) return Promise.reject(new CacheError('closed', 'the bus was closed'))
    return redis.call(command).catch(rethrow)
  }
}

function rethrow(error: unknown): never {
  throw toCacheError(error)
}
