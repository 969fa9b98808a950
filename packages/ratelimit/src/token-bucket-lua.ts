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
    s = { used = 0, mark = now, whole = true }
    if value and #value == 18 then
      local shape, level, at = unpackBytes('<I2dd', value)
      if shape == limit.shape then
        if at > now then s.mark = at end -- the server's clock went back
        level = level - (s.mark - at) * quota / window
        if level > 0 then s.used = level end
        s.whole = floor(at / window) ~= floor(s.mark / window)
      end
    end
  `,
  charge: /* lua */ `
    s.used = max(0, s.used + amount)
    if amount < 0 or s.used > quota then s.whole = true end
  `,
  times: /* lua */ `
    local each = window / quota
    reset = s.used * each
    refill = (s.used - (quota - max(0, floor(quota - s.used + 1e-9)) - 1)) * each
    if refill > reset then refill = reset end
  `,
  retry: /* lua */ `
    wait = (s.used + cost - quota) * window / quota
  `,
  write: /* lua */ `
    if s.whole then
      local state = packBytes('<I2dd', limit.shape, s.used, s.mark)
      redis.call('SET', key, state, 'PX', ceil(window * (1 + max(1, s.used / quota))))
    else
      redis.call('SETRANGE', key, '2', packBytes('<dd', s.used, s.mark))
    end
  `,
}
