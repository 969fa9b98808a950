import type { AlgorithmLua, Counter } from './algorithm.ts'

/**
 * Fixed windows of the clock. Around a boundary, one rolling window admits twice the quota.
 *
 * State: u16 shape · u32 number of the window (mod 2^32) · u32 count.
 */
export const fixedLua: AlgorithmLua = {
  kind: 3,
  prepare: '',
  read: /* lua */ `
    local value, count = ring[k], 0
    mark[k], whole[k] = floor(now / window), true
    if value and #value == 10 then
      local stored, number, total = unpackBytes('<I2I4I4', value)
      local steps = stored == shape and (mark[k] - number) % 4294967296 or 1
      if steps == 0 or steps >= 2147483648 then
        -- If the clock of the server went back, the newest stored window stays the current one.
        if steps > 0 then mark[k] = mark[k] + 4294967296 - steps end
        count, whole[k] = total, false
      end
    end
    used[k], was[k] = count, count
  `,
  charge: /* lua */ `
    used[k] = max(0, min(used[k] + amount, 4294967295))
  `,
  retry: /* lua */ `
    wait = (mark[k] + 1) * window - now
  `,
  settle: '',
  finish: /* lua */ `
    local count, ends = used[k], (mark[k] + 1) * window - now
    if count > 0 then refill, reset = ends, ends end
    if count ~= was[k] then
      if whole[k] then
        local state = packBytes('<I2I4I4', shape, mark[k] % 4294967296, count)
        call('SET', KEYS[k + 1], state, 'PX', ceil(ends) + 1)
      else
        call('SETRANGE', KEYS[k + 1], '6', packBytes('<I4', count))
      end
    end
  `,
}

export function createFixedCounter(windowMs: number): Counter {
  let window = 0
  let count = 0
  return {
    used(nowMs) {
      const current = Math.floor(nowMs / windowMs)
      if (current > window) count = 0
      window = Math.max(window, current)
      return count
    },
    charge(_nowMs, amount) {
      count = Math.max(0, count + amount)
    },
    times(nowMs) {
      const leftMs = (window + 1) * windowMs - nowMs
      return { refillMs: leftMs, resetMs: leftMs }
    },
    retryMs: (nowMs) => (window + 1) * windowMs - nowMs,
    endsAtMs: () => (window + 1) * windowMs,
  }
}
