import { script } from '@repo/redis'
import { COMPLETE } from '../barrier/tally.ts'
import {
  NOW,
  ORPHAN,
  PRUNE,
  PUBLISH_DEFERRED,
  publishing,
  RESTART,
  TALLY_KEYS,
  announceToAll,
  write,
} from './append-script.ts'

const FLOOR = `'["",0,{"kind":"floor"}]'`

/**
 * Registers a member. Defines `position`, its number in the tally, and `older`, the number of members of
 * the release before, which have no mark. A registered member that is not in the tally proves that the
 * tally was lost: earlier positions prove nothing, and each listed member has applied nothing until it
 * notes its position again. In `join` and `renew`; ARGV: 1 registration · 2 ms.
 */
const REGISTER = /* lua */ `
  ${NOW}
  ${TALLY_KEYS}
  redis.call('HSETNX', KEYS[1], 'born', nowMs)
  ${PRUNE}
  local wasListed = redis.call('ZSCORE', KEYS[3], ARGV[1])
  redis.call('ZADD', KEYS[3], nowMs + ARGV[2], ARGV[1])
  local position = redis.call('ZSCORE', tally, ARGV[1])
  local older, others = 0, 0
  local listed = redis.call('ZRANGE', KEYS[3], 0, -1)
  for _, member in ipairs(listed) do
    if not string.find(member, '~2%-%x+$') then older = older + 1 end
    if string.sub(member, 1, 1) == '+' and member ~= ARGV[1] then others = others + 1 end
  end
  if not position and (wasListed or others > 0 and redis.call('ZCARD', tally) == 0) then
    redis.call('HSET', KEYS[1], 'born', nowMs)
    for _, member in ipairs(listed) do
      if string.sub(member, 1, 1) == '+' then redis.call('ZADD', tally, 'NX', 0, member) end
    end
  end
  -- The release before removes registrations, and leaves the tally unchanged.
  while true do
    local lowest = redis.call('ZRANGE', tally, 0, 0, 'WITHSCORES')
    local member, position = lowest[1], lowest[2]
    if not member or redis.call('ZSCORE', KEYS[3], member) then break end
    ${ORPHAN}
  end
`

/** Notes the number `after` after which a member answers separately, or that it has no such number. */
const NOTE_BEHIND = /* lua */ `
  if after ~= '' then redis.call('HSET', behind, ARGV[1], after)
  else redis.call('HDEL', behind, ARGV[1]) end
`

/**
 * Registers a member, and checks whether it can continue after the last entry that it has applied. If
 * Redis has lost entries (an old snapshot, a failover), it may have values whose invalidation is lost:
 * all older values become invalid.
 * KEYS: 1 meta · 2 log · 3 members · 4 channel
 * ARGV: 1 member · 2 registration in ms · 3 number of the last entry that it has applied, or '' · 4 SHA-1
 * of this entry · 5 flags, as in `publishing` · 6 '' or the number after which it answers separately.
 * After a gap it also answers separately for the entries that it missed.
 * Returns { 'ok' | 'gap' | 'regressed', last number, SHA-1 of the last entry or '', the time at which the
 * list of members was started, number of members of the release before }.
 */
export const join = script({
  keys: 4,
  lua: /* lua */ `${RESTART}
    local n = redis.call('HGET', KEYS[1], 'n') or restart()
    ${REGISTER}
    local function shaOf(entry)
      return entry and redis.sha1hex(entry[2][2]) or ''
    end
    local state = 'ok'
    if ARGV[3] ~= '' then
      local id = ARGV[3] .. '-0'
      local known = redis.call('XRANGE', KEYS[2], id, id)[1]
      local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
      local next = string.format('%.0f-0', tonumber(ARGV[3]) + 1)
      if known and ARGV[4] ~= '' and shaOf(known) == ARGV[4] then state = 'ok'
      elseif known or ARGV[3] > n or (first and first[1] < id) then state = 'regressed'
      elseif ARGV[3] ~= n and not (first and first[1] == next) then state = 'gap' end
    end
    if state == 'regressed' then
      n = restart(ARGV[3])
      ${write(FLOOR)}
      ${announceToAll(FLOOR, 'ARGV[5]')}
    end
    local isSure = state == 'ok' and ARGV[3] ~= ''
    local after = ARGV[6]
    local noted = position or string.match(redis.call('HGET', behind, ARGV[1]) or '', '^%d+')
    if noted and not isSure and (after == '' or tonumber(noted) < tonumber(after)) then
      after = noted
    end
    redis.call('ZADD', tally, isSure and ARGV[3] or n, ARGV[1])
    ${NOTE_BEHIND}
    local first = redis.call('HGET', KEYS[1], 'deferred')
    if first then ${PUBLISH_DEFERRED} end
    local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
    return { state, n, shaOf(newest), redis.call('HGET', KEYS[1], 'born'), older }
  `,
})

/**
 * Prolongs the registration of a member, and notes its position again, because an earlier note may be
 * lost.
 * KEYS: 1 meta · 2 log · 3 members · 4 channel
 * ARGV: 1 registration · 2 registration in ms · 3 number of the last applied entry · 4 '' or the number
 * after which it answers separately
 * Returns { last number, number of members of the release before }.
 */
export const renew = script({
  keys: 4,
  lua: /* lua */ `${RESTART}
    ${REGISTER}
    local after = ARGV[4]
    redis.call('ZADD', tally, ARGV[3], ARGV[1])
    ${NOTE_BEHIND}
    local orphans = redis.call('HGETALL', behind)
    for i = 1, #orphans, 2 do
      local endsAtMs = string.match(orphans[i + 1], ':(%d+)$')
      if endsAtMs and tonumber(endsAtMs) < nowMs then redis.call('HDEL', behind, orphans[i]) end
    end
    do ${COMPLETE} end
    return { redis.call('HGET', KEYS[1], 'n') or restart(), older }
  `,
})

/**
 * Removes a member from the list, and publishes that, so that no barrier waits for it.
 * KEYS: 1 meta · 2 log · 3 members · 4 channel
 * ARGV: 1 payload · 2 flags · 3 member
 * Returns n.
 */
export const leave = publishing(
  `
    ${TALLY_KEYS}
    redis.call('ZREM', KEYS[3], ARGV[3])
    redis.call('ZREM', tally, ARGV[3])
    redis.call('HDEL', behind, ARGV[3])
  `,
  { finish: `do ${COMPLETE} end` },
)

/**
 * Appends a message that no instance of this release can apply. All older values become invalid, because
 * it may invalidate any of them. KEYS, ARGV and reply as in `publishing`.
 */
export const forward = publishing(`redis.call('HSET', KEYS[1], 'floor', n)`)

/** Appends an event. KEYS, ARGV and reply as in `publishing`. */
export const emit = publishing('')
