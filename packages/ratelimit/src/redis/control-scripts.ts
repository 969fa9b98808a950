import { script } from '@repo/redis'
import { CONCURRENCY, type LimiterKeys } from '../keys.ts'
import type { Report } from '../store.ts'

const NOW = /* lua */ `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + time[2] / 1000
`
/** The lifetime of the activity of a minute: it is part of reports for an hour. */
const ACTIVITY_S = 3_900
/** The number of keys with the most refusals in a minute, at most. */
const MAX_LIMITED = 1_000

/**
 * Deletes the counts of subjects in all shapes, also those of the release before shapes, and their
 * blocks (R12). The script derives the names of counts, which are in the slot of the blocks.
 * KEYS: 1 blocks · 2... subjects   Returns nothing.
 */
export const reset = script({
  keys: 0,
  lua: /* lua */ `
    redis.call('ZREM', KEYS[1], unpack(KEYS, 2))
    for k = 2, #KEYS do
      local policy, id = string.match(KEYS[k], '^([^:]*:[^:]*:[^:]*)(:.*)$')
      local names = { KEYS[k], policy .. '~${CONCURRENCY}' .. id }
      for _, shape in ipairs(redis.call('ZRANGE', policy .. '~', 0, -1)) do
        names[#names + 1] = policy .. '~' .. shape .. id
      end
      redis.call('DEL', unpack(names))
    end
  `,
})

/**
 * Notes that this instance counts in a shape. KEYS: 1 shapes of the policy
 * ARGV: 1 shape · 2 the longest lifetime of its counts in ms   Returns nothing.
 */
export const addShape = script({
  keys: 1,
  lua: /* lua */ `
    ${NOW}
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
    redis.call('ZADD', KEYS[1], 'GT', now + ARGV[2], ARGV[1])
    local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
    redis.call('PEXPIRE', KEYS[1], math.ceil(last - now) + 1)
  `,
})

/** KEYS: shapes of policies   Returns for each key the shapes in which instances count. */
export const shapes = script({
  keys: 0,
  lua: /* lua */ `
    local all = {}
    for k, key in ipairs(KEYS) do all[k] = redis.call('ZRANGE', key, 0, -1) end
    return all
  `,
})

/**
 * Blocks subjects, or ends their blocks. KEYS: 1 blocks · 2... subjects   ARGV: 1 ms, 0 to end a block
 * Returns nothing.
 */
export const block = script({
  keys: 0,
  lua: /* lua */ `
    ${NOW}
    local forMs = tonumber(ARGV[1])
    for k = 2, #KEYS do
      if forMs > 0 then redis.call('ZADD', KEYS[1], now + forMs, KEYS[k])
      else redis.call('ZREM', KEYS[1], KEYS[k]) end
    end
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
    local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
    if last then redis.call('PEXPIRE', KEYS[1], math.ceil(last - now) + 1) end
  `,
})

/** Frees slots. KEYS: counts of concurrency   ARGV: 1 holder   Returns nothing. */
export const release = script({
  keys: 0,
  lua: /* lua */ `
    for _, key in ipairs(KEYS) do redis.call('ZREM', key, ARGV[1]) end
  `,
})

/**
 * Prolongs slots that have not ended. KEYS: counts of concurrency   ARGV: 1 holder · 2 ms
 * Returns nothing.
 */
export const renew = script({
  keys: 0,
  lua: /* lua */ `
    ${NOW}
    for _, key in ipairs(KEYS) do
      redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
      if redis.call('ZADD', key, 'XX', 'CH', now + ARGV[2], ARGV[1]) == 1 then
        -- The window of another holder may be longer.
        redis.call('PEXPIRE', key, ARGV[2] + 1000, 'GT')
      end
    end
  `,
})

/**
 * Adds to the activity of this minute. The minute is that of the server, so the script derives the
 * names of the keys, which are in the slot of the blocks.
 * KEYS: 1 blocks
 * ARGV: 1 prefix of activity · 2 prefix of limited · 3 JSON [[field, n]...] · 4 JSON [[subject, n]...]
 * Returns nothing.
 */
export const addActivity = script({
  keys: 0,
  lua: /* lua */ `
    local minute = string.format('%.0f', math.floor(redis.call('TIME')[1] / 60))
    local activity, limited = ARGV[1] .. minute, ARGV[2] .. minute
    for _, pair in ipairs(cjson.decode(ARGV[3])) do
      redis.call('HINCRBY', activity, pair[1], pair[2])
    end
    for _, pair in ipairs(cjson.decode(ARGV[4])) do
      redis.call('ZINCRBY', limited, pair[2], pair[1])
    end
    redis.call('ZREMRANGEBYRANK', limited, 0, -${MAX_LIMITED + 1})
    redis.call('EXPIRE', activity, ${ACTIVITY_S})
    redis.call('EXPIRE', limited, ${ACTIVITY_S})
  `,
})

/**
 * The activity of the cluster in the last minutes.
 * KEYS: 1 blocks   ARGV: 1 prefix of activity · 2 prefix of limited · 3 minutes · 4 the length of the lists, at most
 * Returns { fields and numbers of activity per minute, subjects and their refusals, blocked subjects
 * and the remaining ms of each }.
 */
export const report = script({
  keys: 0,
  lua: /* lua */ `
    ${NOW}
    local minute = math.floor(now / 60000)
    local activity, limited = {}, {}
    for m = minute - ARGV[3] + 1, minute do
      local name = string.format('%.0f', m)
      for _, item in ipairs(redis.call('HGETALL', ARGV[1] .. name)) do activity[#activity + 1] = item end
      limited[#limited + 1] = ARGV[2] .. name
    end
    local arguments = { #limited, unpack(limited) }
    arguments[#arguments + 1] = 'WITHSCORES'
    local counts = redis.call('ZUNION', unpack(arguments))
    local most = {}
    for i = math.max(1, #counts - 2 * ARGV[4] + 1), #counts do most[#most + 1] = counts[i] end
    local blocked = {}
    local first = { KEYS[1], '+inf', '(' .. now, 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[4], 'WITHSCORES' }
    for i, item in ipairs(redis.call('ZRANGE', unpack(first))) do
      blocked[i] = i % 2 == 1 and item or string.format('%.0f', math.ceil(item - now))
    end
    return { activity, most, blocked }
  `,
})

/** The report in a reply of the report script. */
export function parseReport(reply: unknown, { parseSubject }: LimiterKeys): Report {
  const [activity, limited, blocked] = Array.isArray(reply) ? reply.map(pairs) : []
  const policies = new Map<string, Report['policies'][number]>()
  for (const [field, n] of activity ?? []) {
    const [policy = '', outcome = ''] = field.split('|')
    const totals = policies.get(policy) ?? { policy, allowed: 0, limited: 0, unavailable: 0 }
    policies.set(policy, totals)
    if (outcome === 'allowed' || outcome === 'limited' || outcome === 'unavailable') {
      totals[outcome] += n
    }
  }
  return {
    policies: [...policies.values()],
    limited: (limited ?? []).toReversed().map(([key, count]) => ({ ...parseSubject(key), count })),
    blocked: (blocked ?? []).map(([key, endsInMs]) => ({ ...parseSubject(key), endsInMs })),
  }
}

/** Pairs of a reply with names and numbers in turn. */
function pairs(flat: unknown): [name: string, n: number][] {
  if (!Array.isArray(flat)) return []
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), Number(flat[i + 1])]] : []))
}
