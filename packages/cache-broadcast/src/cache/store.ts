import { randomUUID } from 'node:crypto'
import { createBatch, createPace } from '@repo/concurrency'
import { sendScript } from '@repo/redis'
import type { Redis } from 'ioredis'
import { type BusKeys, VALUE_SUFFIX } from '../bus/keys.ts'
import type { Delivery, DeliveryOptions, Link, Publish } from '../bus/types.ts'
import { CacheError } from '../errors.ts'
import { requireList, tagName } from '../input.ts'
import { chunksOf, createFills, createPuts, createRedisClaims } from './redis-writes.ts'
import { ANSWER_BYTES, claim, commit, expire, offer, peek, put, read } from './scripts.ts'
import { type Reading, READS, type Store } from './types.ts'

/** Keys of one script: more would occupy Redis for too long. */
const BATCH = 64
/** Keys that are read at the same time. Further keys wait before they are sent. */
const KEYS = 512
/** Scripts of one call in flight. */
const SCRIPTS = 8
/** Keys of one entry of the log. */
const CHUNK = 100

/** The replies of `read` and `claim` for a key; see their scripts. */
const CLAIMED = '1'
const BUSY = '2'
const HELD = '3'
const UNREAD = '4'

/** Opens the second level of a cache: Redis, or nothing if the bus has no Redis. */
export function openStore(
  cache: string,
  { link, hasTags }: { link: Link; hasTags: boolean },
): Store {
  const { redis } = link
  if (!redis) return createAbsentStore(cache, link)
  return createRedisLevel({
    cache,
    keys: redis.keys,
    claimMs: link.claimMs,
    call: (command) => redis.call(command),
    publish: link.publish,
    applied: () => link.applied(),
    ensureListed: () => (hasTags ? redis.ensureListed() : undefined),
    onRegress: () => redis.rejoin(),
  })
}

/** Each caller may load each value. A change is published, and nothing is stored. */
function createAbsentStore(cache: string, link: Link): Store {
  // A loaded value is stored in memory, unless an entry with a number above `version` fenced it.
  const claimed = (): Reading => ({
    outcome: 'claimed',
    token: '',
    version: String(link.applied()),
    nowMs: 0,
  })
  return {
    read: async () => claimed(),
    readMany: async (keys) => keys.map(claimed),
    claim: async () => claimed(),
    commit: async () => true,
    peek: async () => ({ value: undefined, nowMs: 0 }),
    offer: async () => true,
    extend: async () => undefined,
    release: async () => undefined,
    put: (key, _value, { wait }) =>
      link.publish({ script: put, message: { kind: 'keys', cache, keys: [key] }, wait }),
    expire: (keys, _bridgeMs, { wait }) =>
      link.publish({ script: expire, message: { kind: 'soft', cache, keys }, wait }),
  }
}

interface RedisLevelOptions {
  cache: string
  keys: BusKeys
  claimMs: number
  call: <T>(command: (client: Redis) => Promise<T>) => Promise<T>
  publish: Publish
  /** The number of the last entry that this process applied. */
  applied: () => number
  /** Lists the caches with tags before their first read or write; undefined: they are listed. */
  ensureListed: () => Promise<void> | undefined
  /** Redis replied with a lower number than this process has applied. */
  onRegress: () => void
}

/** The values of a cache in Redis, which all instances share. */
function createRedisLevel(options: RedisLevelOptions): Store {
  const { keys, call, claimMs, publish } = options
  const clearField = keys.clearField(options.cache)
  const prefix = keys.valuePrefix(options.cache)
  const tokenPrefix = `${randomUUID().slice(0, 8)}.`
  let tokens = 0
  const nameOf = (key: string) => prefix + key + VALUE_SUFFIX
  // A deadline counts from when a script is sent, and other callers are served between the scripts.
  const pace = createPace({ maxCalls: KEYS, maxBytes: KEYS })
  const singlePace = createPace()
  let averageBytes = 0
  const claims = createRedisClaims({
    meta: keys.meta,
    nameOf,
    claimMs,
    call,
    pace,
    averageBytes: () => averageBytes,
  })

  function nextToken(): string {
    tokens += 1
    return tokenPrefix + tokens
  }

  /** A server with a lower number has lost invalidations, so none of its values may be served. */
  function checkNumber(n: unknown, appliedBefore: number): string {
    if (Number(n) < appliedBefore) {
      options.onRegress()
      throw new CacheError('unavailable', 'Redis has lost entries of the log')
    }
    return String(n)
  }

  async function readMany(wanted: string[]): Promise<Reading[]> {
    const size = Math.max(1, Math.min(READS, Math.floor(ANSWER_BYTES / (averageBytes + 1))))
    if (wanted.length <= size) return readChunk(wanted)
    return (await Promise.all(chunksOf(wanted, size).map(readChunk))).flat()
  }

  async function readChunk(wanted: string[]): Promise<Reading[]> {
    const token = nextToken()
    const names = [keys.meta, ...wanted.map(nameOf)]
    const args = [clearField, keys.tagPrefix, token, claimMs]
    claims.noteRequested(wanted.length)
    let [appliedBefore, reply]: [number, unknown] = [0, undefined]
    try {
      await Promise.resolve() // so that all reads of this tick are counted
      const listing = options.ensureListed()
      const reading = pace({
        bytes: wanted.length,
        run() {
          appliedBefore = options.applied()
          args[3] = claims.validMs()
          return call((client) => sendScript(client, read, names, args))
        },
      })
      reply = listing ? (await Promise.all([reading, listing]))[0] : await reading
    } finally {
      claims.noteReplied(wanted.length)
    }
    const [head = '', ...answers] = toAnswers(reply, wanted.length)
    const space = head.indexOf(' ')
    const version = checkNumber(head.slice(0, space), appliedBefore)
    const granted = { token, version, nowMs: Number(head.slice(space + 1)) }
    claims.noteTaken(countOf(answers, CLAIMED))
    noteSizes(answers)
    if (!answers.includes(UNREAD)) return answers.map((answer) => toReading(answer, granted))
    const later = await readMany(wanted.filter((_, i) => answers[i] === UNREAD))
    return answers.map(
      (answer) => (answer === UNREAD && later.shift()) || toReading(answer, granted),
    )
  }

  function noteSizes(values: string[]) {
    let bytes = 0
    for (const value of values) bytes += value.length
    averageBytes += (bytes / values.length - averageBytes) / 4
  }

  const commitOne = createFills(async (fills) => {
    const names = [keys.meta, ...fills.map(({ key }) => nameOf(key))]
    const each = fills.flatMap(({ token, lifeMs, value }) => [token, lifeMs, value])
    const args = [clearField, keys.tagPrefix, ...each]
    noteSizes(fills.map(({ value }) => value))
    claims.noteCommitted(fills.length)
    const stored = requireList(await call((client) => sendScript(client, commit, names, args)))
    return stored.map((isStored) => isStored === 1)
  })

  const claimOne = createBatch<string, Reading>(BATCH, async (wanted) => {
    const token = nextToken()
    const names = [keys.meta, ...wanted.map(nameOf)]
    let appliedBefore = 0
    const reply = await pace({
      bytes: wanted.length,
      run() {
        appliedBefore = options.applied()
        return call((client) => sendScript(client, claim, names, [token, claims.validMs()]))
      },
    })
    const [n, now, ...answers] = requireList(reply)
    const granted = { token, version: checkNumber(n, appliedBefore), nowMs: Number(now) }
    claims.noteTaken(countOf(answers.map(String), CLAIMED))
    return answers.map((answer) => toReading(answer, granted))
  })

  async function expireChunk(
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
      const send = () => puts(key, value, delivery)
      return options.ensureListed()?.then(send) ?? send()
    },
    async peek(key, tags) {
      const appliedBefore = options.applied()
      const args = [clearField, keys.tagPrefix, tags.map(tagName).join(',')]
      const names = [keys.meta, nameOf(key)]
      const run = () => call((client) => sendScript(client, peek, names, args))
      const [n, now, value] = requireList(await singlePace({ bytes: 0, run }))
      checkNumber(n, appliedBefore)
      return { value: typeof value === 'string' ? value : undefined, nowMs: Number(now) }
    },
    async offer(key, { lifeMs, value }) {
      await options.ensureListed()
      const args = [clearField, keys.tagPrefix, lifeMs, value]
      const names = [keys.meta, nameOf(key)]
      const run = () => call((client) => sendScript(client, offer, names, args))
      return 1 === (await singlePace({ bytes: value.length, run }))
    },
    async expire(expired, bridgeMs, { wait }) {
      const chunks = chunksOf(expired, CHUNK)
      // Entries are applied in order: a member that applied the last entry has applied all.
      const last = chunks.pop() ?? []
      for (const group of chunksOf(chunks, SCRIPTS)) {
        await Promise.all(group.map((chunk) => expireChunk(chunk, bridgeMs, undefined)))
      }
      return expireChunk(last, bridgeMs, wait)
    },
  }
}

/** The reply of `read` as a list: its head, then the answer for each key. */
function toAnswers(reply: unknown, keys: number): string[] {
  const answers = typeof reply === 'string' ? reply.split('\n') : requireList(reply).map(String)
  if (answers.length === keys + 1) return answers
  throw new TypeError(`the script \`read\` returned ${answers.length - 1} answers for ${keys} keys`)
}

/** An answer of `read` or `claim` for one key. */
function toReading(
  answer: unknown,
  { token, version, nowMs }: { token: string; version: string; nowMs: number },
): Reading {
  const mark = String(answer)
  if (mark === CLAIMED) return { outcome: 'claimed', token, version, nowMs }
  if (mark === BUSY) return { outcome: 'busy' }
  return mark === HELD ? { outcome: 'held' } : { outcome: 'hit', value: mark, nowMs }
}

function countOf(answers: string[], mark: string): number {
  let count = 0
  for (const answer of answers) if (answer === mark) count += 1
  return count
}
