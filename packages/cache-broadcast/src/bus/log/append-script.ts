import { script, type Script } from '@repo/redis'

/** The approximate length of the log: a member that misses more entries has a gap. */
const LOG_LENGTH = 20_000

/** Defines `nowMs`, by the clock of the server. */
export const NOW = /* lua */ `
  local time = redis.call('TIME')
  local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
`

/**
 * Defines `restart(least)`, which sets the last number of the log, above `least` if that is given. The
 * number is the time in microseconds. A log that was lost continues above all its earlier numbers, so
 * that no reader takes a new entry for an earlier one. Older values become invalid, because Redis may
 * have lost their invalidations with the log. The numbers after it are contiguous, which is how a reader
 * detects a gap. Numbers are text: their 16 digits (until the year 2286) compare as text as they do as
 * numbers. The list of members counts as a new list: positions in the former log prove nothing.
 */
export const RESTART = /* lua */ `
  local function restart(least)
    local time = redis.call('TIME')
    local n = time[1] * 1000000 + time[2]
    local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
    if last then n = math.max(n, tonumber(string.match(last[1], '^%d+')) + 1) end
    if least then n = math.max(n, tonumber(least) + 1) end
    local text = string.format('%.0f', n)
    local bornAtMs = time[1] * 1000 + math.floor(time[2] / 1000)
    redis.call('HSET', KEYS[1], 'n', text, 'floor', text, 'born', bornAtMs)
    return text
  end
`

/** Adds an entry as number `n`. */
export function write(payload: string): string {
  return `redis.call('XADD', KEYS[2], 'MAXLEN', '~', ${LOG_LENGTH}, n .. '-0', 'd', ${payload})`
}

/** Each reader reads a larger entry from the log at its pace: Redis ends slow subscriptions. */
export const MAX_NEWS_BYTES = 4_096

/** Under load, entries of barriers are published together at this interval, in ms. */
export const GROUP_MS = 10
/** Entries that are published together, at most: Redis serves no other command in this step. */
const GROUP_ENTRIES = 64
/** The largest entry that is published with others; a larger one is read from the log. */
const GROUPED_BYTES = MAX_NEWS_BYTES / 2
/** How long the position of a member that is no longer registered stays in `behind`, in ms. */
const ORPHAN_MS = 60_000

/**
 * Publishes entry `n` to the members; `readNews` decodes it. Instead of a large entry it publishes an
 * empty one with the next number, so that a reader of any release reads the log.
 */
function announce(payload: string, after = ''): string {
  return `
    local news = n .. ' ' .. ${payload}
    if #news > ${MAX_NEWS_BYTES} then news = string.format('%.0f ', tonumber(n) + 1) end
    redis.call('SPUBLISH', KEYS[4], news)
    ${after}
  `
}

/** As `announce`, and on the channel of the release before if `flags` contain it. */
export function announceToAll(payload: string, flags: string): string {
  return announce(payload, `if ${flags} > '1' then redis.call('SPUBLISH', KEYS[2], news) end`)
}

/**
 * The keys of the tally, beside the meta hash. The tally contains each registered member of this
 * release, and no other member: both change in one step.
 * - `tally` zset: registration -> number of the last entry that the member has applied
 * - `behind` hash: registration -> number after which the member answers for each entry separately
 * - `waiting` zset: number of an entry and the channel of its sender -> that number
 */
export const TALLY_KEYS = /* lua */ `
  local base = string.sub(KEYS[1], 1, -5)
  local tally, behind, waiting = base .. 'tally', base .. 'behind', base .. 'waiting'
`

/**
 * Removes `member` from the tally, where it would hold up every barrier. Its `position` stays in
 * `behind`, so that no barrier counts later entries as applied. The script defines `nowMs`.
 */
export const ORPHAN = /* lua */ `
  redis.call('ZREM', tally, member)
  local earlier = redis.call('HGET', behind, member)
  local after = earlier and string.match(earlier, '^%d+') or position
  redis.call('HSET', behind, member, string.format('%s:%.0f', after, nowMs + ${ORPHAN_MS}))
`

/** Removes the registrations that have ended. */
export const PRUNE = /* lua */ `
  local expired = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', nowMs)
  if #expired > 0 then
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', nowMs)
    for _, member in ipairs(expired) do
      local position = redis.call('ZSCORE', tally, member)
      if position then ${ORPHAN} end
    end
  end
`

/** Publishes all entries from number `first`. The script defines `nowMs`. */
export const PUBLISH_DEFERRED = /* lua */ `
  local entries = redis.call('XRANGE', KEYS[2], first .. '-0', '+')
  for _, entry in ipairs(entries) do
    local n, payload = string.match(entry[1], '^%d+'), entry[2][2]
    ${announce('payload')}
  end
  redis.call('HDEL', KEYS[1], 'deferred')
  redis.call('HSET', KEYS[1], 'group', #entries, 'publishedAt', nowMs)
`

/**
 * Creates a script that appends ARGV[1] to the log, runs `effect` with the number `n` in the same step,
 * and publishes the entry. Entries of barriers in flight are published together, because each message
 * costs Redis a system call per member.
 * KEYS: 1 meta · 2 log · 3 members · 4 channel · 5... for the effect
 * ARGV: 1 payload · 2 flags: '1' the sender waits for all members, '2' old names too, '3' both, '0'
 * neither; with '1' or '3' the channel of the sender follows · 3... for the effect
 * Returns n; with '1' or '3' also the time at which the list of members was started, its age in ms, the
 * ms after which the sender runs `publishDeferred`, or 0, then each registered member.
 *
 * `prepare` runs first, and defines `payload`, which replaces ARGV[1]; `finish` runs at the end.
 *
 * A function that is seldom used is defined only when it is used: it costs more than a command.
 */
export function publishing(effect: string, { prepare = '', finish = '' } = {}): Script {
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
    local flags = string.sub(ARGV[2], 1, 1)
    local first = redis.call('HGET', KEYS[1], 'deferred')
    if flags ~= '1' and flags ~= '3' then
      if first then
        ${NOW}
        ${PUBLISH_DEFERRED}
      else
        ${announceToAll(payload, 'flags')}
      end
      ${finish}
      return n
    end
    ${NOW}
    ${TALLY_KEYS}
    ${PRUNE}
    local last = redis.call('HMGET', KEYS[1], 'group', 'publishedAt', 'born')
    local members = redis.call('ZRANGE', KEYS[3], 0, -1)
    local leftMs = ${GROUP_MS} - (nowMs - (last[2] or 0))
    local isBusy = tonumber(last[1] or 0) > 1 or redis.call('ZCARD', waiting) > 0
    if not isBusy or leftMs > ${GROUP_MS} or #${payload} > ${GROUPED_BYTES} then leftMs = 0
    elseif first and n - first >= ${GROUP_ENTRIES} then leftMs = 0
    -- A reader of the release before reads an entry that is published late as another entry.
    elseif redis.call('ZCARD', tally) ~= #members then leftMs = 0 end
    redis.call('ZADD', waiting, n, n .. ' ' .. string.sub(ARGV[2], 2))
    if leftMs > 0 then
      -- The sender of the first entry publishes all of them.
      if first then leftMs = 0 else redis.call('HSET', KEYS[1], 'deferred', n) end
    elseif first then
      ${PUBLISH_DEFERRED}
    else
      ${announceToAll(payload, 'flags')}
      redis.call('HSET', KEYS[1], 'group', 1, 'publishedAt', nowMs)
    end
    local born = last[3] or tostring(nowMs)
    return { n, born, tostring(nowMs - born), math.max(leftMs, 0), unpack(members) }`
  return script({ keys: 4, lua })
}
