import type { AlgorithmLua } from './algorithm-lua.ts'

/**
 * At most so many at a time: each holder has a lease that it renews while it lives.
 *
 * State: a zset of lease -> when it ends (ms).
 */
export const concurrencyLua: AlgorithmLua = {
  kind: 4,
  read: /* lua */ `
    redis.call('ZREMRANGEBYSCORE', KEYS[k + 1], '-inf', now)
    used[k] = redis.call('ZCARD', KEYS[k + 1])
  `,
  charge: /* lua */ `
    if lease ~= '' then
      redis.call('ZADD', KEYS[k + 1], now + window, lease)
      redis.call('PEXPIRE', KEYS[k + 1], window + 1000)
      used[k] = used[k] + 1
    end
  `,
  // A lease may be given back at any time, and none is longer than this unless it is renewed.
  times: /* lua */ `
    refill, reset = min(window, 1000), window
  `,
  retry: /* lua */ `
    wait = min(window, 1000)
  `,
  write: '',
}
