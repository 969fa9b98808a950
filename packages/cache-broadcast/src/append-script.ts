import { script, type Script } from '@repo/redis'

/** The log keeps about this many entries: who is further behind starts over. */
const LOG_LENGTH = 20_000

/** Defines `nowMs`, by the server's clock. */
export const NOW = /* lua */ `
  local time = redis.call('TIME')
  local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
`

/**
 * Defines `restart(least)`, which gives the log a last number, above `least` if that is given. It is
 * the time in microseconds: a log that was lost goes on above all that it ever said, so that no
 * reader mistakes new entries for ones it knows. Values from before are made invalid, for what
 * invalidated them may be lost with it. From there on numbers are contiguous, which is how a reader
 * notices a gap. They are handed on as text: their 16 digits (until the year 2286) compare as text
 * as they do as numbers.
 */
export const RESTART = /* lua */ `
  local function restart(least)
    local time = redis.call('TIME')
    local n = time[1] * 1000000 + time[2]
    local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
    if last then n = math.max(n, tonumber(string.match(last[1], '^%d+')) + 1) end
    if least then n = math.max(n, tonumber(least) + 1) end
    local text = string.format('%.0f', n)
    redis.call('HSET', KEYS[1], 'n', text, 'floor', text)
    return text
  end
`

/** Adds an entry as number `n`. */
export function write(payload: string): string {
  return `redis.call('XADD', KEYS[2], 'MAXLEN', '~', ${LOG_LENGTH}, n .. '-0', 'd', ${payload})`
}

/** A larger entry is read from the log, by each reader at its pace: Redis ends slow subscriptions. */
export const MAX_NEWS_BYTES = 4_096

/**
 * Publishes entry `n` to those who follow the log; see `readNews`. Where `flags` say so, also on the
 * channel of the release before. Instead of a large entry it publishes an empty one with the next
 * number, which makes a reader of any release read the log.
 */
export function tell(payload: string, flags: string): string {
  return `
    local news = n .. ' ' .. ${payload}
    if #news > ${MAX_NEWS_BYTES} then news = string.format('%.0f ', tonumber(n) + 1) end
    redis.call('SPUBLISH', KEYS[4], news)
    if ${flags} > '1' then redis.call('SPUBLISH', KEYS[2], news) end
  `
}

/**
 * A script that appends ARGV[1] to the log, does `effect` with the number `n` in the same step, and
 * tells everybody.
 * KEYS: 1 meta · 2 log · 3 members · 4 news · 5... for the effect
 * ARGV: 1 payload · 2 flags: '1' the sender waits for everybody, '2' old names too, '3' both, '0'
 * neither · 3... for the effect
 * Returns n; with '1' or '3' also the age of the list of members in ms, then every member whose
 * registration is not over.
 *
 * `prepare` runs first, and defines `payload`, which replaces ARGV[1].
 *
 * What is seldom needed is defined only then: a function costs more than a command.
 */
export function publishing(effect: string, prepare = ''): Script {
  const payload = prepare === '' ? 'ARGV[1]' : 'payload'
  const lua = `
    ${prepare}
    local n = redis.call('HINCRBY', KEYS[1], 'n', 1)
    if n == 1 then
      ${RESTART}
      n = restart()
    else
      n = string.format('%.0f', n)
    end
    ${write(payload)}
    ${effect}
    ${tell(payload, 'ARGV[2]')}
    if ARGV[2] ~= '1' and ARGV[2] ~= '3' then return n end
    ${NOW}
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', nowMs)
    local members = redis.call('ZRANGE', KEYS[3], 0, -1)
    return { n, tostring(nowMs - (redis.call('HGET', KEYS[1], 'born') or nowMs)), unpack(members) }`
  return script({ keys: 4, lua })
}
