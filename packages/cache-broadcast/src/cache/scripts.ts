import { script } from '@repo/redis'
import { NOW, publishing } from '../append-script.ts'

/**
 * What makes a stored value invalid: being older than the cache's last `clear`, the bus's `floor`,
 * or the last invalidation of one of its tags. What is older than the last softening of one of its
 * tags is not fresh, and invalid when the time to bridge is over.
 * A value that was stored without tags (`V`) is invalid too if it is older than the last invalidation
 * of any tag, in a cache whose other members store tags.
 * `meta`, `now`, `tagPrefix` and `more`, the names of further tags, are defined by the script.
 */
const VALID = /* lua */ `
  local least = meta[2] or ''
  if meta[3] and meta[3] > least then least = meta[3] end
  local function claimKey(key) return string.sub(key, 1, -2) .. 'l' end
  local function tagsOf(value)
    local keys = {}
    local names = more
    if string.byte(value) == 84 then
      names = more .. ',' .. string.sub(value, 37, 36 + tonumber(string.sub(value, 31, 36)))
    end
    for name in string.gmatch(names, '[^,]+') do keys[#keys + 1] = tagPrefix .. name end
    return keys
  end
  local function held(value)
    local version = string.sub(value, 2, 17)
    if version < least then return false end
    if meta[4] and version < meta[4] and string.byte(value) == 86 then return false end
    if string.byte(value) ~= 84 and more == '' then return value end
    local soft = false
    local keys = tagsOf(value)
    if #keys == 0 then return value end
    for _, tag in ipairs(redis.call('MGET', unpack(keys))) do
      if tag then
        if string.sub(tag, 1, 16) > version then return false end
        if string.sub(tag, 17, 32) > version then
          local untilMs = string.sub(tag, 33)
          if untilMs ~= '' and tonumber(untilMs) <= now then return false end
          soft = true
        end
      end
    end
    if not soft then return value end
    return string.sub(value, 1, 17) .. '0000000000000' .. string.sub(value, 31)
  end
`

/** Bytes of the values in one answer, beside the first one: more would occupy Redis for too long. */
export const ANSWER_BYTES = 262_144

/**
 * Reads values, and claims the loading of those that are not there or not valid.
 * KEYS: 1 meta · 2... values
 * ARGV: 1 the cache's clear field · 2 prefix of tags · 3 claim token · 4 claim in ms
 * Returns last number and now in ms, with a space between, then for each value: itself |
 * 1 claimed | 2 another's claim stands | 3 held by an invalidation: load, but store nowhere |
 * 4 not read, since the answer is long already: read it again.
 * They are one text with a line feed between, which is quicker to read than a list; they are a list
 * if a value is long or contains a line feed.
 */
export const read = script({
  keys: 2,
  lua: /* lua */ `
    local meta = redis.call('HMGET', KEYS[1], 'n', 'floor', ARGV[1], ARGV[1] .. ':untagged')
    ${NOW}
    local answer = redis.call('MGET', unpack(KEYS, 2))
    local floor, cleared, untagged = meta[2] or '', meta[3] or '', meta[4] or ''
    local plain, short, length = true, true, 0
    for i = 1, #KEYS - 1 do
      local value = answer[i]
      if value and (#value > 4096 or string.find(value, '\\n', 1, true)) then short = false end
      if value then length = length + #value end
      if value and length > ${ANSWER_BYTES} and i > 1 then answer[i] = 4
      elseif not value then plain = false
      elseif string.byte(value) == 84 and string.sub(value, 31, 36) ~= '000000' then plain = false
      else
        local version = string.sub(value, 2, 17)
        if version < floor or version < cleared or version < untagged then plain = false end
      end
    end
    if not plain then
      local tagPrefix, more, now = ARGV[2], '', nowMs
      ${VALID}
      for i = 1, #KEYS - 1 do
        local value = answer[i] and (answer[i] == 4 and 4 or held(answer[i]))
        if value then answer[i] = value
        else
          local claim = claimKey(KEYS[i + 1])
          if redis.call('SET', claim, ARGV[3], 'NX', 'PX', ARGV[4]) then answer[i] = 1
          else answer[i] = redis.call('GET', claim) == 'hold' and 3 or 2 end
        end
      end
    end
    local head = (meta[1] or '0') .. ' ' .. nowMs
    if not short then return { head, unpack(answer) } end
    return #answer == 1 and head .. '\\n' .. answer[1] or head .. '\\n' .. table.concat(answer, '\\n')
  `,
})

/**
 * Claims the loading of values that are there and valid but no longer fresh.
 * KEYS: 1 meta · 2... values   ARGV: 1 claim token · 2 claim in ms
 * Returns { last number, now in ms, then for each value: 1 claimed | 2 another's claim stands | 3 held }.
 */
export const claim = script({
  keys: 2,
  lua: /* lua */ `
    ${NOW}
    local answer = { redis.call('HGET', KEYS[1], 'n') or '0', nowMs }
    for i = 2, #KEYS do
      local claim = string.sub(KEYS[i], 1, -2) .. 'l'
      if redis.call('SET', claim, ARGV[1], 'NX', 'PX', ARGV[2]) then answer[i + 1] = 1
      else answer[i + 1] = redis.call('GET', claim) == 'hold' and 3 or 2 end
    end
    return answer
  `,
})

/**
 * Stores loaded values, each only under the claim it was loaded with: an invalidation takes claims
 * away, and so does the end of a claim, so nothing that was loaded before either is stored.
 * KEYS: 1 meta · 2... values
 * ARGV: 1 the cache's clear field · 2 prefix of tags · 3... for each value: token, life in ms, value
 * Returns for each value 1 if it was stored, else 0.
 */
export const commit = script({
  keys: 2,
  lua: /* lua */ `
    local meta = redis.call('HMGET', KEYS[1], 'n', 'floor', ARGV[1], ARGV[1] .. ':untagged')
    local tagPrefix, more, now = ARGV[2], '', 0
    ${VALID}
    local answer = {}
    for i = 2, #KEYS do
      local at = i * 3 - 3
      local claim = claimKey(KEYS[i])
      local stored = redis.call('GET', claim) == ARGV[at]
      if stored then
        stored = held(ARGV[at + 2])
        redis.call('DEL', claim)
        if stored then redis.call('SET', KEYS[i], ARGV[at + 2], 'PX', ARGV[at + 1]) end
      end
      answer[i - 1] = stored and 1 or 0
    end
    return answer
  `,
})

/**
 * Prolongs claims, or with 0 ms gives them up.
 * KEYS: 1 meta · 2... values   ARGV: 1 ms · 2... the token of each
 * Returns how many still stood.
 */
export const extend = script({
  keys: 2,
  lua: /* lua */ `
    local stood = 0
    for i = 2, #KEYS do
      local claim = string.sub(KEYS[i], 1, -2) .. 'l'
      if redis.call('GET', claim) == ARGV[i] then
        stood = stood + redis.call('PEXPIRE', claim, ARGV[1])
      end
    end
    return stood
  `,
})

/**
 * Ends the freshness of keys; what is stored may bridge the gap for a while.
 * KEYS, ARGV, answer: as `publishing`; KEYS 5... values; ARGV: 3 ms that it may
 */
export const expire = publishing(/* lua */ `
    ${NOW}
    local now = string.format('%013.0f', nowMs)
    for i = 5, #KEYS do
      redis.call('DEL', string.sub(KEYS[i], 1, -2) .. 'l')
      if redis.call('GETRANGE', KEYS[i], 17, 29) > now then
        redis.call('SETRANGE', KEYS[i], 17, now)
        redis.call('PEXPIRE', KEYS[i], ARGV[3], 'LT')
      end
    end
`)

/**
 * Stores values that callers gave; no load in flight can replace one.
 * KEYS, ARGV, answer: as `publishing`; KEYS 5... values; ARGV: 3... for each value: kind, fresh for
 * ms, life in ms, the value after its header
 */
export const put = publishing(/* lua */ `
    ${NOW}
    local claims = {}
    for i = 5, #KEYS do
      local at = i * 4 - 17
      local fresh = string.format('%013.0f', nowMs + ARGV[at + 1])
      redis.call('SET', KEYS[i], ARGV[at] .. n .. fresh .. ARGV[at + 3], 'PX', ARGV[at + 2])
      claims[i - 4] = string.sub(KEYS[i], 1, -2) .. 'l'
    end
    redis.call('DEL', unpack(claims))
`)

/**
 * Reads a value and claims nothing.
 * KEYS: 1 meta · 2 value
 * ARGV: 1 the cache's clear field · 2 prefix of tags · 3 further tags that may invalidate it, their
 * names with commas between
 * Returns { last number, now in ms, the value or nil }.
 */
export const peek = script({
  keys: 2,
  lua: /* lua */ `
    local meta = redis.call('HMGET', KEYS[1], 'n', 'floor', ARGV[1], ARGV[1] .. ':untagged')
    local tagPrefix, more = ARGV[2], ARGV[3]
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    ${VALID}
    local value = redis.call('GET', KEYS[2])
    return { meta[1] or '0', now, value and held(value) or nil }
  `,
})

/**
 * Stores a value, unless it is invalid or one of a higher version is there.
 * KEYS: 1 meta · 2 value
 * ARGV: 1 the cache's clear field · 2 prefix of tags · 3 life in ms · 4 value
 * Returns 1 if it was stored, else 0.
 */
export const offer = script({
  keys: 2,
  lua: /* lua */ `
    local meta = redis.call('HMGET', KEYS[1], 'n', 'floor', ARGV[1], ARGV[1] .. ':untagged')
    local tagPrefix, more, now = ARGV[2], '', 0
    ${VALID}
    local there = redis.call('GETRANGE', KEYS[2], 1, 16)
    if there > string.sub(ARGV[4], 2, 17) or not held(ARGV[4]) then return 0 end
    redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[3])
    return 1
  `,
})
