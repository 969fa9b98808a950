import type { AlgorithmLua, Counter } from './algorithm.ts'

/**
 * The generic cell rate algorithm (ITU-T I.371), stored as the level of its leaky bucket: the units
 * that have not leaked yet. A level is exact for whole units; a time of arrival would be rounded.
 *
 * State: u16 shape · f64 level · f64 the time of the level (ms). Its lifetime is renewed once per window
 * of the clock.
 */
export const tokenBucketLua: AlgorithmLua = {
  kind: 2,
  prepare: '',
  read: /* lua */ `
    local value, level = ring[k], 0
    mark[k], whole[k] = now, true
    if value and #value == 18 then
      local stored, before, at = unpackBytes('<I2dd', value)
      if stored == shape then
        if at > now then mark[k] = at end -- the clock of the server went back
        level = max(0, before - (mark[k] - at) * quota / window)
        whole[k] = floor(at / window) ~= floor(mark[k] / window)
      end
    end
    used[k], was[k] = level, level
  `,
  charge: /* lua */ `
    used[k] = max(0, used[k] + amount)
  `,
  retry: /* lua */ `
    wait = (used[k] + cost - quota) * window / quota
  `,
  settle: /* lua */ `
    local perUnit = window / quota
  `,
  finish: /* lua */ `
    local level = used[k]
    if level > 0 then
      reset = min(level * perUnit, 4000000000)
      refill = (level - (quota - max(0, floor(quota - level + EDGE)) - 1)) * perUnit
      if refill > reset then refill = reset end
    end
    if level ~= was[k] then
      if whole[k] or level > quota then
        local state = packBytes('<I2dd', shape, level, mark[k])
        call('SET', KEYS[k + 1], state, 'PX', ceil(window * (1 + max(1, level / quota))))
      else
        call('SETRANGE', KEYS[k + 1], '2', packBytes('<dd', level, mark[k]))
      end
    end
  `,
}

export function createTokenBucketCounter(windowMs: number): Counter {
  let level = 0
  let atMs = 0
  let perMs = 1
  return {
    used(nowMs, quota) {
      perMs = quota / windowMs
      level = Math.max(0, level - Math.max(0, nowMs - atMs) * perMs)
      atMs = Math.max(atMs, nowMs)
      return level
    },
    charge(_nowMs, amount) {
      level = Math.max(0, level + amount)
    },
    times(_nowMs, quota) {
      const left = Math.max(0, Math.floor(quota - level + 1e-9))
      const resetMs = Math.min(level / perMs, 4_000_000_000)
      return { refillMs: Math.min((level - (quota - left - 1)) / perMs, resetMs), resetMs }
    },
    retryMs: (_nowMs, cost, quota) => (level + cost - quota) / perMs,
    endsAtMs: () => atMs + level / perMs,
  }
}
