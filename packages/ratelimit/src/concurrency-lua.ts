import { type AlgorithmLua, ANSWER_TIMES } from './algorithm-lua.ts'

/**
 * At most so many at a time: each holder has a lease that it renews while it lives.
 *
 * State: a zset of lease -> when it ends (ms).
 */
export const concurrencyLua: AlgorithmLua = {
  kind: 4,
  read: /* lua */ `
    for k = from, to do
      call('ZREMRANGEBYSCORE', KEYS[k + 1], '-inf', now)
      used[k] = call('ZCARD', KEYS[k + 1])
    end
  `,
  charge: /* lua */ `
    if lease ~= '' then
      call('ZADD', KEYS[k + 1], now + window, lease)
      -- A holder under a policy with a longer window keeps its place.
      if used[k] > 0 then call('PEXPIRE', KEYS[k + 1], window + 1000, 'GT')
      else call('PEXPIRE', KEYS[k + 1], window + 1000) end
      used[k] = used[k] + 1
    end
  `,
  retry: /* lua */ `
    wait = min(window, 1000)
  `,
  // A lease may be given back at any time, and none is longer than this unless it is renewed.
  finish: /* lua */ `
    for k = from, to do
      local reset = used[k] > 0 and window or 0
      local refill = min(reset, 1000)
      ${ANSWER_TIMES}
    end
  `,
}
