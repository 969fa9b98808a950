import type { ConnectionLog } from '@repo/redis'
import { CacheError } from '../errors.ts'
import {
  checkEvent,
  checkFunction,
  checkMethods,
  checkName,
  checkWait,
  checkWhole,
  DEFAULT_MESSAGE_BYTES,
  encodeData,
  measureMessage,
  readOptions,
  toKeys,
  toTags,
} from '../input.ts'
import { createSinks } from './entries.ts'
import { createHandlers } from './handlers.ts'
import { MAX_LIFE_MS } from './invalidations.ts'
import { createClock, createLease } from './lease.ts'
import type { Message } from './message.ts'
import type { Bus, Delivery, DeliveryOptions } from './types.ts'

/**
 * A bus within one process, for tests and for an app that has one instance. A message is applied before
 * the call resolves. Caches on it have only the memory level.
 *
 * @param replicas the number of instances of the app
 * @throws CacheError `bad-option`; `single-instance` for more than one instance, because they would
 * not receive the messages of each other
 */
export function createMemoryBus({
  replicas = 1,
  name = 'memory',
  handlerTimeoutMs = 500,
  onError = () => undefined,
  log,
}: {
  replicas?: number
  /** An outbox relays the rows of this name on the bus. */
  name?: string
  handlerTimeoutMs?: number
  onError?: (error: unknown) => void
  log?: ConnectionLog
} = {}): Bus {
  checkWhole('replicas', replicas, 0)
  checkName('bus (name)', name)
  checkWhole('handlerTimeoutMs', handlerTimeoutMs, 1)
  checkFunction('onError', onError)
  if (log !== undefined) checkMethods('log', log, ['info', 'warn'])
  if (replicas > 1) {
    throw new CacheError('single-instance', `${replicas} instances need createBus on Redis`)
  }
  const lease = createLease()
  lease.limit(Number.POSITIVE_INFINITY)
  lease.prolong(Number.POSITIVE_INFINITY, 0)
  const sinks = createSinks()
  const handlers = createHandlers({ timeoutMs: handlerTimeoutMs, onError })
  let last = 0
  let isClosed = false

  function publish(message: Message): number {
    if (isClosed) throw new CacheError('closed', 'the bus was closed')
    last += 1
    sinks.apply(message, last)
    return last
  }

  return {
    name,
    async emit(event, data, options) {
      checkEvent(event)
      const { wait } = readOptions('emit', options)
      checkWait(wait)
      // As in Redis, handlers receive a copy, and data without JSON is refused.
      const text = encodeData(data)
      measureMessage(text ?? '')
      const n = publish({ kind: 'event', event, data })
      const done = await handlers.run(event, text === undefined ? undefined : JSON.parse(text))
      return toDelivery(n, { wait }, !done)
    },
    on: (event, handler, subscription) => handlers.on(event, handler, subscription),
    async invalidate(cache, keys, options) {
      const { wait, holdMs = 0 } = readOptions('invalidate', options)
      checkName('cache', cache)
      checkWait(wait)
      checkWhole('holdMs', holdMs, 0, MAX_LIFE_MS)
      return toDelivery(publish({ kind: 'keys', cache, keys: toKeys(keys) }), { wait })
    },
    async invalidateTag(tags, options) {
      const { wait } = readOptions('invalidateTag', options)
      checkWait(wait)
      return toDelivery(publish({ kind: 'tags', tags: toTags(tags) }), { wait })
    },
    async expireTag(tags, options) {
      const { wait, expireMs } = readOptions('expireTag', options)
      checkWait(wait)
      if (expireMs !== undefined) checkWhole('expireMs', expireMs, 0, MAX_LIFE_MS)
      return toDelivery(publish({ kind: 'soft-tags', tags: toTags(tags), expireMs }), { wait })
    },
    async clear(cache, options) {
      const { wait } = readOptions('clear', options)
      checkName('cache', cache)
      checkWait(wait)
      return toDelivery(publish({ kind: 'clear', cache }), { wait })
    },
    health: () => ({
      leaseMsLeft: isClosed ? 0 : Infinity,
      behind: 0,
      lastN: last,
      resyncs: 0,
      unknown: 0,
      refused: 0,
      refusal: undefined,
    }),
    ready: async (timeoutMs = 2_000) => checkWhole('timeoutMs', timeoutMs, 1),
    async close() {
      isClosed = true
      lease.end()
    },
    link: {
      clock: createClock(),
      lease,
      log,
      applied: () => last,
      joinedAtMs: () => (isClosed ? Infinity : 0),
      renew: async () => !isClosed,
      claimMs: 300,
      maxMessageBytes: DEFAULT_MESSAGE_BYTES,
      async forward() {
        last += 1
        sinks.clear(last)
        handlers.resync()
        return { outcome: 'sent', n: last }
      },
      publish: async ({ message, wait }) => toDelivery(publish(message), { wait }),
      redis: undefined,
      attach: (sink) => sinks.attach(sink),
    },
  }
}

function toDelivery(n: number, { wait }: DeliveryOptions, hasFailed = false): Delivery {
  if (!wait) return { outcome: 'sent', n }
  const self = ['memory']
  const [acked, failed] = hasFailed ? [[], self] : [self, []]
  return { outcome: 'everywhere', n, acked, failed, lapsed: [], ms: 0 }
}
