import { randomUUID } from 'node:crypto'
import { createBatch } from '@repo/concurrency'
import type { Redis } from 'ioredis'
import { type BusKeys, valueKey } from '../bus/keys.ts'
import type { Delivery, DeliveryOptions, Publish } from '../bus/link.ts'
import { createPace } from '../bus/log/pace.ts'
import { list, runBatch } from '../bus/run-script.ts'
import { CacheError } from '../errors.ts'
import { tagName } from '../names.ts'
import { chunksOf, createRedisClaims } from './load-claims.ts'
import { createFills, createPuts } from './redis-writes.ts'
import { ANSWER_BYTES, claim, commit, expire, offer, peek, read } from './scripts.ts'
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

export interface RedisLevelOptions {
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
export function createRedisLevel(options: RedisLevelOptions): Store {
  const { keys, call, claimMs, publish } = options
  const clearField = keys.clearField(options.cache)
  const prefix = keys.valuePrefix(options.cache)
  const tokenPrefix = `${randomUUID().slice(0, 8)}.`
  let tokens = 0
  const nameOf = (key: string) => valueKey(prefix, key)
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
          return call((client) => runBatch(client, read, names, args))
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
    const stored = list(await call((client) => runBatch(client, commit, names, args)))
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
        return call((client) => runBatch(client, claim, names, [token, claims.validMs()]))
      },
    })
    const [n, now, ...answers] = list(reply)
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
      const put = () => puts(key, value, delivery)
      return options.ensureListed()?.then(put) ?? put()
    },
    async peek(key, tags) {
      const appliedBefore = options.applied()
      const args = [clearField, keys.tagPrefix, tags.map(tagName).join(',')]
      const names = [keys.meta, nameOf(key)]
      const run = () => call((client) => runBatch(client, peek, names, args))
      const [n, now, value] = list(await singlePace({ bytes: 0, run }))
      checkNumber(n, appliedBefore)
      return { value: typeof value === 'string' ? value : undefined, nowMs: Number(now) }
    },
    async offer(key, { lifeMs, value }) {
      await options.ensureListed()
      const args = [clearField, keys.tagPrefix, lifeMs, value]
      const names = [keys.meta, nameOf(key)]
      const run = () => call((client) => runBatch(client, offer, names, args))
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
  const answers = typeof reply === 'string' ? reply.split('\n') : list(reply).map(String)
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
