import { script } from '@repo/redis'
import { NOW, publishing, RESTART, tell, write } from './append-script.ts'

const FLOOR = `'["",0,{"kind":"floor"}]'`

/**
 * Registers a member, and defines `older`, the number of members of the release before: they have no
 * mark. In `join` and `renew`; ARGV: 1 member · 2 ms.
 */
const REGISTER = /* lua */ `
  ${NOW}
  local now = nowMs
  redis.call('HSETNX', KEYS[1], 'born', now)
  redis.call('ZADD', KEYS[3], now + ARGV[2], ARGV[1])
  local older = 0
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], now, '+inf')) do
    if not string.find(member, '~2%-%x+$') then older = older + 1 end
  end
`

/**
 * Registers a member that starts to read the log after the entry it knows, and says whether it can.
 * When Redis came back with less than the member knows (an old snapshot, a failover), values may be
 * there again whose invalidation was lost: all that is older than now is made invalid.
 * KEYS: 1 meta · 2 log · 3 members · 4 news
 * ARGV: 1 member · 2 registration in ms · 3 number of the last entry it knows, or '' · 4 SHA-1 of it ·
 * 5 flags, as `publishing`
 * Returns { 'ok' | 'gap' | 'regressed', last number, SHA-1 of the last entry or '', when the list of
 * members was started, number of members of the release before }.
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
      ${tell(FLOOR, 'ARGV[5]')}
    end
    local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
    return { state, n, shaOf(newest), redis.call('HGET', KEYS[1], 'born'), older }
  `,
})

/**
 * Prolongs a member's registration.
 * KEYS: 1 meta · 2 log · 3 members · 4 news   ARGV: 1 member · 2 registration in ms
 * Returns { last number, number of members of the release before }.
 */
export const renew = script({
  keys: 4,
  lua: /* lua */ `${RESTART}
    ${REGISTER}
    return { redis.call('HGET', KEYS[1], 'n') or restart(), older }
  `,
})

/**
 * Takes a member off the list and says so, so that nobody waits for it.
 * KEYS: 1 meta · 2 log · 3 members · 4 news   ARGV: 1 payload · 2 flags · 3 member
 * Returns n.
 */
export const leave = publishing(`redis.call('ZREM', KEYS[3], ARGV[3])`)

/**
 * Appends a message that no instance of this release can apply: values from before are made invalid,
 * for it may invalidate any of them. KEYS, ARGV and answer as `publishing` says.
 */
export const forward = publishing(`redis.call('HSET', KEYS[1], 'floor', n)`)

/** Appends an event; KEYS, ARGV and answer as `publishing` says. */
export const emit = publishing('')
