import { createHash } from 'node:crypto'
import FastifyStore from '@fastify/rate-limit/store/RedisStore.js'
import { Ratelimit } from '@upstash/ratelimit'
import { Redis } from 'ioredis'
import { RedisStore } from 'rate-limit-redis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import { WINDOW_MS } from './workloads.ts'

/** One dimension: counts `id` under `policy`. */
export type CountOne = (policy: string, id: string) => Promise<unknown>

export const PEERS = [
  'rate-limiter-flexible',
  '@upstash/ratelimit',
  'rate-limit-redis',
  '@fastify/rate-limit',
  'EVALSHA per dimension',
  'INCR, auto-pipelined',
]

/** The least that counts in windows: one key per dimension. */
const FLOOR = `for _, key in ipairs(KEYS) do
  if redis.call('INCR', key) == 1 then redis.call('PEXPIRE', key, ARGV[1]) end
end`

/** Each peer as its documentation sets it up, with a quota that no run reaches. */
export async function connectPeers(url: string, quota: number) {
  const bare = new Redis(url)
  const pipelined = new Redis(url, { enableAutoPipelining: true })
  const flexible = new Map<string, RateLimiterRedis>()
  const upstash = new Map<string, Ratelimit>()
  const classic = new RedisStore({
    prefix: 'rlr:',
    sendCommand: (command: string, ...args: string[]) => call(bare, command, args),
  })
  Reflect.set(classic, 'windowMs', WINDOW_MS)
  const fastify = new FastifyStore(false, false, bare, 'fastify:')
  const sha = String(await bare.script('LOAD', FLOOR))

  const peers: Record<string, CountOne> = {
    'rate-limiter-flexible': (policy, id) =>
      made(flexible, policy, () => flexibleOf(bare, policy, quota)).consume(id),
    '@upstash/ratelimit': (policy, id) =>
      made(upstash, policy, () => upstashOf(bare, policy, quota)).limit(id),
    'rate-limit-redis': (policy, id) => classic.increment(`${policy}:${id}`),
    '@fastify/rate-limit': (policy, id) =>
      new Promise((resolve, reject) => {
        const done = (error: Error | null, answer: unknown) =>
          error ? reject(error) : resolve(answer)
        fastify.incr(`${policy}:${id}`, done, WINDOW_MS, quota)
      }),
    'EVALSHA per dimension': (policy, id) =>
      bare.evalsha(sha, 1, `floor:${policy}:${id}`, WINDOW_MS),
    'INCR, auto-pipelined': (policy, id) => pipelined.incr(`incr:${policy}:${id}`),
  }
  return {
    peers,
    bare,
    /** One call that counts all dimensions. */
    evalAll: (ids: string[]) =>
      bare.evalsha(sha, ids.length, ...ids.map((id, d) => `floor:${d}:${id}`), WINDOW_MS),
    close: () => {
      bare.disconnect()
      pipelined.disconnect()
    },
  }
}

function made<T>(all: Map<string, T>, name: string, make: () => T): T {
  let one = all.get(name)
  if (!one) all.set(name, (one = make()))
  return one
}

function flexibleOf(redis: Redis, policy: string, points: number) {
  const duration = WINDOW_MS / 1_000
  return new RateLimiterRedis({ storeClient: redis, keyPrefix: `rlf:${policy}`, points, duration })
}

/** Peers that cache blocked keys in memory. */
export function blockingPeers(redis: Redis): Record<string, CountOne> {
  const flexible = new RateLimiterRedis({
    storeClient: redis,
    keyPrefix: 'rlf:block',
    points: 1,
    duration: 600,
    inMemoryBlockOnConsumed: 1,
    inMemoryBlockDuration: 600,
  })
  const upstash = new Ratelimit({
    redis: adapt(redis),
    prefix: 'up:block',
    analytics: false,
    ephemeralCache: new Map(),
    limiter: Ratelimit.fixedWindow(1, '600 s'),
  })
  return {
    // A refusal is a rejection there.
    'rate-limiter-flexible': (_, id) => flexible.consume(id).catch(() => 'refused'),
    '@upstash/ratelimit': (_, id) => upstash.limit(id),
  }
}

function upstashOf(redis: Redis, policy: string, quota: number) {
  return new Ratelimit({
    redis: adapt(redis),
    prefix: `up:${policy}`,
    analytics: false,
    ephemeralCache: false,
    limiter: Ratelimit.slidingWindow(quota, `${WINDOW_MS} ms`),
  })
}

/** @upstash/ratelimit over ioredis: its scripts begin with a line that stock Redis refuses. */
function adapt(redis: Redis) {
  const shas = new Map<string, string>()
  return {
    async evalsha<T>(sha: string, keys: string[], args: unknown[]): Promise<T> {
      const loaded = shas.get(sha)
      if (!loaded) throw new Error('NOSCRIPT')
      return typed<T>(await redis.evalsha(loaded, keys.length, ...keys, ...args.map(String)))
    },
    async eval<T>(script: string, keys: string[], args: unknown[]): Promise<T> {
      const lua = script.replace(/^\s*#!lua[^\n]*\n/, '')
      const loaded = String(await redis.script('LOAD', lua))
      shas.set(createHash('sha1').update(script).digest('hex'), loaded)
      return typed<T>(await redis.evalsha(loaded, keys.length, ...keys, ...args.map(String)))
    },
    get: async <T>(key: string): Promise<T> => typed<T>(await redis.get(key)),
    set: async <T>(key: string, value: T): Promise<T> =>
      typed<T>(await redis.set(key, String(value))),
  }
}

/** The interface of the peer promises this type, which cannot be checked here. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the type of the caller
function typed<T>(reply: unknown): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  return reply as T
}

async function call(
  redis: Redis,
  command: string,
  args: string[],
): Promise<boolean | number | string> {
  return typed(await redis.call(command, ...args))
}
