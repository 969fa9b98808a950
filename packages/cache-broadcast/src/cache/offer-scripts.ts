import { script } from '@repo/redis'
import { VALID } from './valid-script.ts'

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
