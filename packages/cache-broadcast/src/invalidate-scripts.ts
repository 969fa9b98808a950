import { publishing } from './append-script.ts'

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

/** Makes every value of a cache invalid. As `publishing`; ARGV: 3 the cache's clear field. */
export const clear = publishing(`redis.call('HSET', KEYS[1], ARGV[3], n)`)
