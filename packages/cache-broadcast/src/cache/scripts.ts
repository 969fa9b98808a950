import { script } from '@repo/redis'
import { NOW, publishing } from '../append-script.ts'
import { VALID } from './valid-script.ts'

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
 * Invalidates keys: no stored value is left, and no load under way can store one.
 * KEYS, ARGV, answer: as `publishing`; KEYS 5... values; ARGV: 3 ms for which nothing may be stored
 */
export const drop = publishing(/* lua */ `
    local gone = {}
    for i = 5, #KEYS do
      gone[#gone + 1] = KEYS[i]
      gone[#gone + 1] = string.sub(KEYS[i], 1, -2) .. 'l'
    end
    redis.call('DEL', unpack(gone))
    if ARGV[3] ~= '0' then
      for i = 2, #gone, 2 do redis.call('SET', gone[i], 'hold', 'PX', ARGV[3]) end
    end
`)

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

/** Makes every value of a cache invalid. As `publishing`; ARGV: 3 the cache's clear field. */
export const clear = publishing(`redis.call('HSET', KEYS[1], ARGV[3], n)`)
