import type { AlgorithmLua } from './algorithm-lua.ts'

/**
 * Fixed windows of the clock. At a boundary twice the quota is admitted in one rolling window.
 *
 * State: u16 shape · u32 number of the window (mod 2^32) · u32 count.
 */
export const fixedLua: AlgorithmLua = {
  kind: 3,
  read: /* lua */ `
    used[k], mark[k], whole[k] = 0, floor(now / window), true
    if value and #value == 10 then
      local shape, stored, total = unpackBytes('<I2I4I4', value)
      local steps = shape == limit.shape and (mark[k] - stored) % 4294967296 or 1
      if steps == 0 or steps >= 2147483648 then
        -- If the server's clock went back, the newest window that is known stays the current one.
        if steps > 0 then mark[k] = mark[k] + 4294967296 - steps end
        used[k], whole[k] = total, false
      end
    end
  `,
  charge: /* lua */ `
    used[k] = max(0, min(used[k] + amount, 4294967295))
  `,
  times: /* lua */ `
    reset = (mark[k] + 1) * window - now
    refill = reset
  `,
  retry: /* lua */ `
    wait = (mark[k] + 1) * window - now
  `,
  write: /* lua */ `
    if whole[k] then
      local state = packBytes('<I2I4I4', limit.shape, mark[k] % 4294967296, used[k])
      redis.call('SET', key, state, 'PX', ceil((mark[k] + 1) * window - now) + 1)
    else
      redis.call('SETRANGE', key, '6', packBytes('<I4', used[k]))
    end
  `,
}
