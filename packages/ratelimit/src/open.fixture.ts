import { Redis } from 'ioredis'
import { limiterKeys } from './keys.ts'
import { createLimiter } from './limiter.ts'
import { createFallback } from './memory/fallback.ts'
import { createMemoryStore } from './memory/memory-store.ts'
import type { PolicyInput } from './policy.ts'
import { connectLimiterRedis } from './redis/connection.ts'
import { createRedisStore } from './redis/redis-store.ts'
import { takeScriptsAt } from './redis/take-script.ts'
import type { LimiterBus, RateLimiter } from './types.ts'

const CLOCK = `${limiterKeys().blocks}:now`
/**
 * Redis expires keys by its own clock, which runs while the fake one stands still. So the scripts set
 * much longer lifetimes: a pause of the machine must not end a window of the fake clock.
 */
const scriptsByClock = takeScriptsAt(/* lua */ `
local now = tonumber(redis.call('GET', '${CLOCK}'))
local server = redis
local redis = {
  call = function(command, ...)
    local args = { ... }
    if command == 'SET' and args[3] == 'PX' then args[4] = args[4] * 1000 end
    if command == 'PEXPIRE' then args[2] = args[2] * 1000 end
    return server.call(command, unpack(args))
  end,
}
`)

const deadlineMs = 2_000

/** Opens a limiter in an emptied Redis. Its clock is a key. */
export async function openOnRedis(
  url: string,
  policies: PolicyInput[],
  {
    denyCacheKeys = 0,
    startMs = Date.now(),
    bus,
  }: { denyCacheKeys?: number; startMs?: number; bus?: LimiterBus } = {},
) {
  const direct = new Redis(url)
  const redis = connectLimiterRedis({ url, name: 'test', deadlineMs })
  await redis.ready()
  await direct.flushall()
  let nowMs = startMs
  await direct.set(CLOCK, nowMs)
  const open = (chosen: PolicyInput[]) =>
    createLimiter({
      policies: chosen,
      bus,
      denyCacheKeys,
      source: 'redis',
      ipv6Prefix: 56,
      observe: undefined,
      store: createRedisStore(redis, scriptsByClock),
      now: () => nowMs,
      available: () => redis.available(),
      decideLocally: createFallback({ local: createMemoryStore(), replicas: () => 1 }),
    })
  const limiter = open(policies)
  const others: RateLimiter[] = []
  return {
    limiter: {
      ...limiter,
      async close() {
        await Promise.all([limiter, ...others].map((opened) => opened.close()))
        await redis.close()
        await direct.quit()
      },
    },
    /** Opens a limiter that shares the counts and the clock of the first one. */
    async beside(otherPolicies: PolicyInput[]) {
      const other = open(otherPolicies)
      others.push(other)
      return other
    },
    direct,
    deadlineMs,
    async refuse() {
      await direct.config('SET', 'maxmemory', '1')
      return () => direct.config('SET', 'maxmemory', '0')
    },
    advance: async (ms: number) => {
      nowMs += ms
      await direct.set(CLOCK, nowMs)
    },
  }
}
