import type { AlgorithmLua } from './algorithm-lua.ts'

/**
 * Fixed windows of the clock. At a boundary twice the quota is admitted in one rolling window.
 *
 * State: u16 shape · u32 number of the window (mod 2^32) · u32 count.
 */
export const fixedLua: AlgorithmLua = {
  kind: 3,
  read: /* lua */ `
    s = { used = 0, mark = floor(now / window), whole = true }
    if value and #value == 10 then
      local shape, stored, total = unpackBytes('<I2I4I4', value)
      local steps = shape == limit.shape and (s.mark - stored) % 4294967296 or 1
      if steps == 0 or steps >= 2147483648 then
        -- If the server's clock went back, the newest window that is known stays the current one.
        if steps > 0 then s.mark = s.mark + 4294967296 - steps end
        s.used, s.whole = total, false
      end
    end
  `,
  charge: /* lua */ `
    s.used = max(0, min(s.used + amount, 4294967295))
  `,
  times: /* lua */ `
    reset = (s.mark + 1) * window - now
    refill = reset
  `,
  retry: /* lua */ `
    wait = (s.mark + 1) * window - now
  `,
  write: /* lua */ `
    if s.whole then
      local state = packBytes('<I2I4I4', limit.shape, s.mark % 4294967296, s.used)
      redis.call('SET', key, state, 'PX', ceil((s.mark + 1) * window - now) + 1)
    else
      redis.call('SETRANGE', key, '6', packBytes('<I4', s.used))
    end
  `,
}
