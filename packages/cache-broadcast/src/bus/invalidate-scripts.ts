import { publishing } from './log/append-script.ts'

/**
 * Drops keys: Redis has no value of them afterwards, and no load in flight can store one (I2).
 * KEYS, ARGV and reply as in `publishing`; KEYS 5... values; ARGV: 3 ms in which nothing may be stored
 */
export const drop = publishing(/* lua */ `
    local dropped = {}
    for i = 5, #KEYS do
      dropped[#dropped + 1] = KEYS[i]
      dropped[#dropped + 1] = string.sub(KEYS[i], 1, -2) .. 'l'
    end
    redis.call('DEL', unpack(dropped))
    if ARGV[3] ~= '0' then
      for i = 2, #dropped, 2 do redis.call('SET', dropped[i], 'hold', 'PX', ARGV[3]) end
    end
`)

/** Makes all values of a cache invalid. As `publishing`; ARGV: 3 the clear field of the cache. */
export const clear = publishing(`redis.call('HSET', KEYS[1], ARGV[3], n)`)
