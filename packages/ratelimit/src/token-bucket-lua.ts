import type { AlgorithmLua } from './algorithm-lua.ts'

/**
 * The generic cell rate algorithm (ITU-T I.371), kept as the level of its leaky bucket: units that
 * have not leaked yet, which is exact for whole units where a time of arrival would be rounded.
 *
 * State: u16 shape · f64 level · f64 when that was (ms). Its life is renewed once per window of the
 * clock.
 */
export const tokenBucketLua: AlgorithmLua = {
  kind: 2,
  read: /* lua */ `
    used[k], mark[k], whole[k] = 0, now, true
    if value and #value == 18 then
      local shape, level, at = unpackBytes('<I2dd', value)
      if shape == limit.shape then
        if at > now then mark[k] = at end -- the server's clock went back
        level = level - (mark[k] - at) * quota / window
        if level > 0 then used[k] = level end
        whole[k] = floor(at / window) ~= floor(mark[k] / window)
      end
    end
  `,
  charge: /* lua */ `
    used[k] = max(0, used[k] + amount)
    if amount < 0 or used[k] > quota then whole[k] = true end
  `,
  times: /* lua */ `
    local each = window / quota
    reset = min(used[k] * each, 4000000000)
    refill = (used[k] - (quota - max(0, floor(quota - used[k] + 1e-9)) - 1)) * each
    if refill > reset then refill = reset end
  `,
  retry: /* lua */ `
    wait = (used[k] + cost - quota) * window / quota
  `,
  write: /* lua */ `
    if whole[k] then
      local state = packBytes('<I2dd', limit.shape, used[k], mark[k])
      redis.call('SET', key, state, 'PX', ceil(window * (1 + max(1, used[k] / quota))))
    else
      redis.call('SETRANGE', key, '2', packBytes('<dd', used[k], mark[k]))
    end
  `,
}
