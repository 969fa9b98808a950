import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { createBatch } from './batch.ts'
import { claim, commit, expire, extend, read } from './cache-scripts.ts'
import { CacheError } from './errors.ts'
import { type BusKeys, valueKey } from './keys.ts'
import { type Reading, READS, type Store } from './link.ts'
import { tagName } from './names.ts'
import { offer, peek } from './offer-scripts.ts'
import type { Publish } from './publish.ts'
import { createPuts } from './puts.ts'
import { list, runBatch } from './run-script.ts'

/** Keys of one script: more would hold up Redis for others. */
const BATCH = 64

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
    const token = nextToken()
    const appliedBefore = options.applied()
    const names = [keys.meta]
    for (const key of wanted) names.push(nameOf(key))
    const args = [clearField, keys.tagPrefix, token, claimMs]
    const listing = options.ensureListed()
    const reading = call((client) => runBatch(client, read, names, args))
    const reply = listing ? (await Promise.all([reading, listing]))[0] : await reading
    const [head = '', ...answers] = toAnswers(reply, wanted.length)
    const space = head.indexOf(' ')
    const version = checked(head.slice(0, space), appliedBefore)
    const ours = { token, version, nowMs: Number(head.slice(space + 1)) }
    return answers.map((answer) => toReading(answer, ours))
  }

  const commitBatch = createBatch<
    { key: string; token: string; lifeMs: number; value: string },
    boolean
  >(BATCH, async (batch) => {
    const names = [keys.meta, ...batch.map(({ key }) => nameOf(key))]
    const args: (string | number)[] = [clearField, keys.tagPrefix]
    for (const { token, lifeMs, value } of batch) args.push(token, lifeMs, value)
    const reply = await call((client) => runBatch(client, commit, names, args))
    return list(reply).map((stored) => stored === 1)
  })

  async function prolong(claims: { key: string; token: string }[], ms: number): Promise<void> {
    const names = [keys.meta, ...claims.map(({ key }) => nameOf(key))]
    const args = [ms, ...claims.map(({ token }) => token)]
    await call((client) => runBatch(client, extend, names, args))
  }

  const puts = createPuts({ cache: options.cache, publish, nameOf })

  return {
    read: createBatch(READS, readMany),
    readMany,
    async claim(key) {
      const token = nextToken()
      const appliedBefore = options.applied()
      const names = [keys.meta, nameOf(key)]
      const reply = await call((client) => runBatch(client, claim, names, [token, claimMs]))
      const [n, now, answer] = list(reply)
      const version = checked(n, appliedBefore)
      return toReading(answer, { token, version, nowMs: Number(now) })
    },
    commit: (key, fill) => commitBatch({ key, ...fill }),
    extend: (claims) => prolong(claims, claimMs),
    release: (key, token) => prolong([{ key, token }], 0),
    put(key, value, delivery) {
      const listing = options.ensureListed()
      return listing ? listing.then(() => puts(key, value, delivery)) : puts(key, value, delivery)
    },
    async peek(key, tags) {
      const appliedBefore = options.applied()
      const args = [clearField, keys.tagPrefix, tags.map(tagName).join(',')]
      const reply = await call((client) => runBatch(client, peek, [keys.meta, nameOf(key)], args))
      const [n, now, value] = list(reply)
      checked(n, appliedBefore)
      return { value: typeof value === 'string' ? value : undefined, nowMs: Number(now) }
    },
    async offer(key, { lifeMs, value }) {
      await options.ensureListed()
      const args = [clearField, keys.tagPrefix, lifeMs, value]
      return 1 === (await call((client) => runBatch(client, offer, [keys.meta, nameOf(key)], args)))
    },
    expire: (expired, bridgeMs, { wait }) =>
      publish({
        script: expire,
        message: { kind: 'soft', cache: options.cache, keys: expired },
        keys: expired.map(nameOf),
        args: [bridgeMs],
        wait,
      }),
  }
}

/** A reply of `read`: its head, then the answer for each key. */
function toAnswers(reply: unknown, keys: number): string[] {
  const answers = typeof reply === 'string' ? reply.split('\n') : list(reply).map(String)
  if (answers.length !== keys + 1) throw new TypeError('the batch was not answered whole')
  return answers
}

function toReading(
  answer: unknown,
  { token, version, nowMs }: { token: string; version: string; nowMs: number },
): Reading {
  const mark = String(answer)
  if (mark === '1') return { outcome: 'claimed', token, version, nowMs }
  if (mark === '2') return { outcome: 'busy' }
  return mark === '3' ? { outcome: 'held' } : { outcome: 'hit', value: mark, nowMs }
}
