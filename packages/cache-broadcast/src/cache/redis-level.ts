import { randomUUID } from 'node:crypto'
import { createBatch } from '@repo/concurrency'
import type { Redis } from 'ioredis'
import { chunksOf } from '../chunks.ts'
import { CacheError } from '../errors.ts'
import { type BusKeys, valueKey } from '../keys.ts'
import { type Delivery, type DeliveryOptions, type Reading, READS, type Store } from '../link.ts'
import { tagName } from '../names.ts'
import { createPace } from '../pace.ts'
import type { Publish } from '../publish.ts'
import { list, runBatch } from '../run-script.ts'
import { createFills } from './fills.ts'
import { offer, peek } from './offer-scripts.ts'
import { createPuts } from './puts.ts'
import { CLAIMED, countOf, toAnswers, toReading, UNREAD } from './readings.ts'
import { createStoreClaims } from './redis-claims.ts'
import { ANSWER_BYTES, claim, commit, expire, read } from './scripts.ts'

/** Keys of one script: more would occupy Redis for too long. */
const BATCH = 64
/** Keys that are read at once: further ones wait unsent. */
const KEYS = 512
/** Scripts of one call in flight. */
const SCRIPTS = 8
/** Keys of one entry of the log. */
const CHUNK = 100

export interface RedisStoreOptions {
  cache: string
  keys: BusKeys
  claimMs: number
  call: <T>(command: (client: Redis) => Promise<T>) => Promise<T>
  publish: Publish
  /** The last entry that this process applied. */
  applied: () => number
  /** Lists the caches with tags before their first read or write; undefined: they are listed. */
  ensureListed: () => Promise<void> | undefined
  /** Redis answered with less than this process has applied. */
  onRegress: () => void
}

/** The second level in Redis. */
export function createRedisStore(options: RedisStoreOptions): Store {
  const { keys, call, claimMs, publish } = options
  const clearField = keys.clearField(options.cache)
  const prefix = keys.valuePrefix(options.cache)
  const tokens = `${randomUUID().slice(0, 8)}.`
  const tokenRun = { count: 0 }
  const nameOf = (key: string) => valueKey(prefix, key)
  // A deadline counts from when a script is sent, and other callers are served between the scripts.
  const reads = createPace({ maxCalls: KEYS, maxBytes: KEYS })
  const singles = createPace()
  let averageBytes = 0
  const claims = createStoreClaims({
    meta: keys.meta,
    nameOf,
    claimMs,
    call,
    pace: reads,
    averageBytes: () => averageBytes,
  })

  function nextToken(): string {
    tokenRun.count += 1
    return tokens + tokenRun.count
  }

  /** A server that knows less than was applied here has lost invalidations: trust none of its values. */
  function checked(n: unknown, appliedBefore: number): string {
    if (Number(n) < appliedBefore) {
      options.onRegress()
      throw new CacheError('unavailable', 'Redis has lost entries of the log')
    }
    return String(n)
  }

  async function readMany(wanted: string[]): Promise<Reading[]> {
    const size = Math.max(1, Math.min(READS, Math.floor(ANSWER_BYTES / (averageBytes + 1))))
    if (wanted.length <= size) return readSome(wanted)
    return (await Promise.all(chunksOf(wanted, size).map(readSome))).flat()
  }

  async function readSome(wanted: string[]): Promise<Reading[]> {
    const token = nextToken()
    const names = [keys.meta, ...wanted.map(nameOf)]
    const args = [clearField, keys.tagPrefix, token, claimMs]
    claims.waits(wanted.length)
    let [appliedBefore, reply]: [number, unknown] = [0, undefined]
    try {
      await Promise.resolve() // so that all reads of this tick are counted
      const listing = options.ensureListed()
      const reading = reads({
        bytes: wanted.length,
        run() {
          appliedBefore = options.applied()
          args[3] = claims.time()
          return call((client) => runBatch(client, read, names, args))
        },
      })
      reply = listing ? (await Promise.all([reading, listing]))[0] : await reading
    } finally {
      claims.waited(wanted.length)
    }
    const [head = '', ...answers] = toAnswers(reply, wanted.length)
    const space = head.indexOf(' ')
    const version = checked(head.slice(0, space), appliedBefore)
    const ours = { token, version, nowMs: Number(head.slice(space + 1)) }
    claims.taken(countOf(answers, CLAIMED))
    learn(answers)
    if (!answers.includes(UNREAD)) return answers.map((answer) => toReading(answer, ours))
    const later = await readMany(wanted.filter((_, i) => answers[i] === UNREAD))
    return answers.map((answer) => (answer === UNREAD && later.shift()) || toReading(answer, ours))
  }

  function learn(values: string[]) {
    let bytes = 0
    for (const value of values) bytes += value.length
    averageBytes += (bytes / values.length - averageBytes) / 4
  }

  const commitOne = createFills(async (fills) => {
    const names = [keys.meta, ...fills.map(({ key }) => nameOf(key))]
    const each = fills.flatMap(({ token, lifeMs, value }) => [token, lifeMs, value])
    const args = [clearField, keys.tagPrefix, ...each]
    learn(fills.map(({ value }) => value))
    claims.committed(fills.length)
    const stored = list(await call((client) => runBatch(client, commit, names, args)))
    return stored.map((isStored) => isStored === 1)
  })

  const claimOne = createBatch<string, Reading>(BATCH, async (wanted) => {
    const token = nextToken()
    const names = [keys.meta, ...wanted.map(nameOf)]
    let appliedBefore = 0
    const reply = await reads({
      bytes: wanted.length,
      run() {
        appliedBefore = options.applied()
        return call((client) => runBatch(client, claim, names, [token, claims.time()]))
      },
    })
    const [n, now, ...answers] = list(reply)
    const ours = { token, version: checked(n, appliedBefore), nowMs: Number(now) }
    claims.taken(countOf(answers.map(String), CLAIMED))
    return answers.map((answer) => toReading(answer, ours))
  })

  async function expireSome(
    expired: string[],
    bridgeMs: number,
    wait: DeliveryOptions['wait'],
  ): Promise<Delivery> {
    return publish({
      script: expire,
      message: { kind: 'soft', cache: options.cache, keys: expired },
      keys: expired.map(nameOf),
      args: [bridgeMs],
      wait,
    })
  }

  const puts = createPuts({ cache: options.cache, publish, nameOf })
  return {
    read: createBatch(READS, readMany),
    readMany,
    claim: claimOne,
    commit: (key, fill) => commitOne({ key, ...fill }),
    extend: claims.extend,
    release: (key, token) => claims.release(key, token),
    put(key, value, delivery) {
      const put = () => puts(key, value, delivery)
      return options.ensureListed()?.then(put) ?? put()
    },
    async peek(key, tags) {
      const appliedBefore = options.applied()
      const args = [clearField, keys.tagPrefix, tags.map(tagName).join(',')]
      const names = [keys.meta, nameOf(key)]
      const run = () => call((client) => runBatch(client, peek, names, args))
      const [n, now, value] = list(await singles({ bytes: 0, run }))
      checked(n, appliedBefore)
      return { value: typeof value === 'string' ? value : undefined, nowMs: Number(now) }
    },
    async offer(key, { lifeMs, value }) {
      await options.ensureListed()
      const args = [clearField, keys.tagPrefix, lifeMs, value]
      const names = [keys.meta, nameOf(key)]
      const run = () => call((client) => runBatch(client, offer, names, args))
      return 1 === (await singles({ bytes: value.length, run }))
    },
    async expire(expired, bridgeMs, { wait }) {
      const chunks = chunksOf(expired, CHUNK)
      // Entries are applied in order: the members that applied the last one applied all.
      const last = chunks.pop() ?? []
      for (const some of chunksOf(chunks, SCRIPTS)) {
        await Promise.all(some.map((chunk) => expireSome(chunk, bridgeMs, undefined)))
      }
      return expireSome(last, bridgeMs, wait)
    },
  }
}
