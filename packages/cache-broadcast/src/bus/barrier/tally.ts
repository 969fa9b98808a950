import { script } from '@repo/redis'
import { GROUP_MS, NOW, PUBLISH_DEFERRED, TALLY_KEYS } from '../log/append-script.ts'
import { parseArray } from '../message.ts'

/** The numbers through which members have applied the log, as DESCRIBE encodes them. */
export interface Tally {
  /** The time at which the list of members was started: positions of another list prove nothing. */
  born: string
  /** All members of the tally have applied the log through this number, except those in `behind`. */
  low: number
  /** Registrations that have applied more. */
  ahead?: Set<string>
  /** Registration -> number after which the member answers for each entry separately. */
  behind: Map<string, number>
}

/** Whether a member that was registered when entry `n` was appended has applied it. */
export function hasApplied({ low, ahead, behind }: Tally, registration: string, n: number) {
  if (low < n && !ahead?.has(registration)) return false
  return (behind.get(registration) ?? n) >= n
}

/** Decodes the text of DESCRIBE; undefined for text of another release, which proves nothing. */
export function decodeTally(text: string): Tally | undefined {
  const [, low, born, json] = /^(\d+) (\d+)(?: (\[.*\]))?$/.exec(text) ?? []
  if (low === undefined || born === undefined) return undefined
  const fields = json === undefined ? [] : parseArray(json)
  if (json !== undefined && fields.length === 0) return undefined
  return { low: Number(low), born, behind: decodeBehind(fields) }
}

/** Decodes the reply of `readTally`, which lists the registrations that have applied the entry. */
export function decodeTallyOf(fields: unknown[]): Tally {
  const [born, ahead, behind] = fields
  const applied = Array.isArray(ahead) ? ahead.map(String) : []
  return { born: String(born), low: 0, ahead: new Set(applied), behind: decodeBehind(behind) }
}

function decodeBehind(fields: unknown): Map<string, number> {
  const list = Array.isArray(fields) ? fields.map(String) : []
  const behind = new Map<string, number>()
  for (let i = 0; i + 1 < list.length; i += 2) {
    behind.set(String(list[i]), Number.parseInt(String(list[i + 1]), 10))
  }
  return behind
}

/**
 * Defines `text`, which `decodeTally` decodes: the number `lowest` through which all members of the tally
 * have applied the log, the time `born` at which the list of members was started, and the members that
 * answer for later entries separately.
 */
const DESCRIBE = /* lua */ `
  local text = lowest .. ' ' .. born
  local others = redis.call('HGETALL', behind)
  if #others > 0 then text = text .. ' ' .. cjson.encode(others) end
`

/** Informs the senders whose entries every member of the tally has applied. */
export const COMPLETE = /* lua */ `
  local awaited = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')[2]
  local lowest = awaited and redis.call('ZRANGE', tally, 0, 0, 'WITHSCORES')[2]
  if lowest and tonumber(lowest) >= tonumber(awaited) then
    local last = redis.call('HMGET', KEYS[1], 'born', 'deferred', 'group', 'publishedAt')
    local born, first = last[1] or '', last[2]
    ${DESCRIBE}
    local informed = {}
    for _, waiter in ipairs(redis.call('ZRANGEBYSCORE', waiting, '-inf', lowest)) do
      local channel = string.match(waiter, '^%d+ (.*)$')
      if not informed[channel] then redis.call('SPUBLISH', channel, text) end
      informed[channel] = true
    end
    redis.call('ZREMRANGEBYSCORE', waiting, '-inf', lowest)
    if first then
      ${NOW}
      local isSlow = tonumber(last[3] or 0) < 2 or nowMs - (last[4] or 0) >= ${GROUP_MS}
      if isSlow then ${PUBLISH_DEFERRED} end
    end
  end
`

/**
 * Notes the position of a member in the log.
 * KEYS: 1 meta · 2 log · 3 members · 4 channel
 * ARGV: 1 registration · 2 number of the last applied entry · 3 '' or the number after which the member
 * answers separately · 4 '1' if it did so before · 5 '1' to return the tally
 * Returns 0, or with ARGV[5] the text of DESCRIBE.
 */
export const applied = script({
  keys: 4,
  lua: /* lua */ `
    ${TALLY_KEYS}
    redis.call('ZADD', tally, 'XX', ARGV[2], ARGV[1])
    if (ARGV[3] ~= '' or ARGV[4] == '1') and redis.call('ZSCORE', tally, ARGV[1]) then
      if ARGV[3] ~= '' then redis.call('HSET', behind, ARGV[1], ARGV[3])
      else redis.call('HDEL', behind, ARGV[1]) end
    end
    do ${COMPLETE} end
    if ARGV[5] ~= '1' then return 0 end
    local lowest = redis.call('ZRANGE', tally, 0, 0, 'WITHSCORES')[2]
    if not lowest then return 0 end
    local born = redis.call('HGET', KEYS[1], 'born') or ''
    ${DESCRIBE}
    return text
  `,
})

/**
 * Publishes entries whose publication was deferred.
 * KEYS: 1 meta · 2 log · 3 members · 4 channel
 * Returns 1 if there were any, otherwise 0.
 */
export const publishDeferred = script({
  keys: 4,
  lua: /* lua */ `
    local first = redis.call('HGET', KEYS[1], 'deferred')
    if not first then return 0 end
    ${NOW}
    ${PUBLISH_DEFERRED}
    return 1
  `,
})

/**
 * Reads which members have applied an entry, for a barrier that other members hold up.
 * KEYS: 1 meta · 2 log · 3 members · 4 channel
 * ARGV: 1 number of the entry
 * Returns { the time at which the list of members was started, registrations that have applied the
 * entry, the hash `behind` }.
 */
export const readTally = script({
  keys: 4,
  lua: /* lua */ `
    ${TALLY_KEYS}
    return {
      redis.call('HGET', KEYS[1], 'born') or '',
      redis.call('ZRANGEBYSCORE', tally, ARGV[1], '+inf'),
      redis.call('HGETALL', behind)
    }
  `,
})
