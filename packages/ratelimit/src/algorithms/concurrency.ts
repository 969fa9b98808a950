import type { AlgorithmLua } from './algorithm.ts'

/**
 * At most so many at a time: each holder has a lease that it renews while it lives.
 *
 * State: a zset of lease -> when it ends (ms).
 */
export const concurrencyLua: AlgorithmLua = {
  kind: 4,
  prepare: '',
  read: /* lua */ `
    call('ZREMRANGEBYSCORE', KEYS[k + 1], '-inf', now)
    used[k] = call('ZCARD', KEYS[k + 1])
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
  settle: '',
  // A lease may be given back at any time, and none is longer than this unless it is renewed.
  finish: /* lua */ `
    reset = used[k] > 0 and window or 0
    refill = min(reset, 1000)
  `,
}
