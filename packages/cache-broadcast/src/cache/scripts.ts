import { script } from '@repo/redis'
import { NOW, publishing } from '../bus/log/append-script.ts'

/**
 * Defines `valid(value)`, which returns a stored value, the value without freshness, or false.
 * A value is invalid if it is older than the last `clear` of the cache, than the `floor` of the bus, or
 * than the last invalidation of one of its tags. A value that is older than the last softening of one
 * of its tags is not fresh, and becomes invalid when the time to bridge has ended.
 * A value without tags (`V`) is also invalid if it is older than the last invalidation of any tag, in a
 * cache for which other members declare tags.
 * The script defines `meta`, `now`, `tagPrefix`, and `extraTags`, the names of further tags.
 */
const VALID = /* lua */ `
  local least = meta[2] or ''
  if meta[3] and meta[3] > least then least = meta[3] end
  local function claimKey(key) return string.sub(key, 1, -2) .. 'l' end
  local function tagsOf(value)
    local keys = {}
    local names = extraTags
    if string.byte(value) == 84 then
      names = extraTags .. ',' .. string.sub(value, 37, 36 + tonumber(string.sub(value, 31, 36)))
    end
    for name in string.gmatch(names, '[^,]+') do keys[#keys + 1] = tagPrefix .. name end
    return keys
  end
  local function valid(value)
    local version = string.sub(value, 2, 17)
    if version < least then return false end
    if meta[4] and version < meta[4] and string.byte(value) == 86 then return false end
    if string.byte(value) ~= 84 and extraTags == '' then return value end
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

/** Bytes of the values in one reply, beside the first one: more would occupy Redis for too long. */
export const ANSWER_BYTES = 262_144

/**
 * Reads values, and claims the load of each value that is absent or invalid.
 * KEYS: 1 meta · 2... values
 * ARGV: 1 the clear field of the cache · 2 prefix of tags · 3 claim token · 4 claim in ms
 * Returns the last number and the time in ms, with a space between, then for each value: the value |
 * 1 claimed | 2 another caller has the claim | 3 held by an invalidation: load, and do not store |
 * 4 not read, because the reply is long already: read it again.
 * The reply is one text with line feeds between, which the client reads faster than a list. It is a
 * list if a value is long or contains a line feed.
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
      local tagPrefix, extraTags, now = ARGV[2], '', nowMs
      ${VALID}
      for i = 1, #KEYS - 1 do
        local value = answer[i] and (answer[i] == 4 and 4 or valid(answer[i]))
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
 * Claims the load of values that are valid and no longer fresh.
 * KEYS: 1 meta · 2... values
 * ARGV: 1 claim token · 2 claim in ms
 * Returns { last number, time in ms, then for each value: 1 claimed | 2 another caller has the claim |
 * 3 held }.
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
 * Stores loaded values, each only under the claim of its load (I2). An invalidation deletes the claims,
 * and a claim ends by itself: a value that was loaded before either is not stored.
 * KEYS: 1 meta · 2... values
 * ARGV: 1 the clear field of the cache · 2 prefix of tags · 3... for each value: token, life in ms, value
 * Returns for each value 1 if it was stored, otherwise 0.
 */
export const commit = script({
  keys: 2,
  lua: /* lua */ `
    local meta = redis.call('HMGET', KEYS[1], 'n', 'floor', ARGV[1], ARGV[1] .. ':untagged')
    local tagPrefix, extraTags, now = ARGV[2], '', 0
    ${VALID}
    local answer = {}
    for i = 2, #KEYS do
      local at = i * 3 - 3
      local claim = claimKey(KEYS[i])
      local stored = redis.call('GET', claim) == ARGV[at]
      if stored then
        stored = valid(ARGV[at + 2])
        redis.call('DEL', claim)
        if stored then redis.call('SET', KEYS[i], ARGV[at + 2], 'PX', ARGV[at + 1]) end
      end
      answer[i - 1] = stored and 1 or 0
    end
    return answer
  `,
})

/**
 * Prolongs claims, or with 0 ms releases them.
 * KEYS: 1 meta · 2... values
 * ARGV: 1 ms · 2... the token of each
 * Returns the number of claims that were still valid.
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
 * Ends the freshness of keys. The stored values may be served for a limited time.
 * KEYS, ARGV and reply as in `publishing`; KEYS 5... values; ARGV: 3 that time in ms
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
 * Stores the values of callers. No load in flight can replace one.
 * KEYS, ARGV and reply as in `publishing`; KEYS 5... values; ARGV: 3... for each value: kind, fresh for
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
 * Reads a value, and claims nothing.
 * KEYS: 1 meta · 2 value
 * ARGV: 1 the clear field of the cache · 2 prefix of tags · 3 further tags that may invalidate the
 * value, their names with commas between
 * Returns { last number, time in ms, the value or nil }.
 */
export const peek = script({
  keys: 2,
  lua: /* lua */ `
    local meta = redis.call('HMGET', KEYS[1], 'n', 'floor', ARGV[1], ARGV[1] .. ':untagged')
    local tagPrefix, extraTags = ARGV[2], ARGV[3]
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    ${VALID}
    local value = redis.call('GET', KEYS[2])
    return { meta[1] or '0', now, value and valid(value) or nil }
  `,
})

/**
 * Stores a value, unless it is invalid or Redis has a value of a higher version.
 * KEYS: 1 meta · 2 value
 * ARGV: 1 the clear field of the cache · 2 prefix of tags · 3 life in ms · 4 value
 * Returns 1 if it was stored, otherwise 0.
 */
export const offer = script({
  keys: 2,
  lua: /* lua */ `
    local meta = redis.call('HMGET', KEYS[1], 'n', 'floor', ARGV[1], ARGV[1] .. ':untagged')
    local tagPrefix, extraTags, now = ARGV[2], '', 0
    ${VALID}
    local there = redis.call('GETRANGE', KEYS[2], 1, 16)
    if there > string.sub(ARGV[4], 2, 17) or not valid(ARGV[4]) then return 0 end
    redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[3])
    return 1
  `,
})
