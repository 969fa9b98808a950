import { MAX_QUOTA } from '../policy.ts'
import type { AlgorithmLua, Counter } from './algorithm.ts'

/** Adds the units that were charged since the state was read to its current sub-window. */
const ADD_CHARGED = /* lua */ `
  local newest, charged = entry[k], used[k] - was[k]
  if charged > 0 then
    newest = newest + charged * 256
    local last = newest % 256
    if last < hit and not mark[k] then newest = newest - last + hit end
  end
`

/**
 * Strict sliding window: a ring of sub-windows, each a sixteenth of the window. The current one and 16
 * older ones are counted, which are all that a window of any position touches. So no rolling window
 * admits more than the quota (R1). Each sub-window stores the time of its last hit, in 255ths and
 * rounded up. Its units leave one window after the last hit, and not up to a sixteenth later.
 *
 * State: u16 shape · u24 number of the current sub-window · u24 total · u32 entries, newest first, each
 * count * 256 + last hit. Entries before the first hit are not stored. In an entry without a count the
 * second to fourth byte are 0.
 */
export const slidingLua: AlgorithmLua = {
  kind: 1,
  prepare: /* lua */ `
    -- A remainder costs a quarter of a call of math.floor.
    local part = window / 16
    bucket = now / part
    bucket = bucket - bucket % 1
    hit = (now - bucket * part) / part * 255
    local rest = hit % 1
    if rest > 0 then hit = hit - rest + 1 end
    if hit > 255 then hit = 255 end
    local current = bucket % 16777216
  `,
  read: /* lua */ `
    local value = ring[k]
    local total, newest, older = 0, 0, ''
    local stored, number, sum, entry1
    if value and #value >= 12 then stored, number, sum, entry1 = unpackBytes('<I2I3I3I4', value) end
    if stored == shape and number == current then
      total, newest, older = sum, entry1, value
    else
      local steps = stored == shape and (current - number) % 16777216 or 17
      whole[k] = 0
      if steps >= 8388608 then
        -- If the clock of the server went back, the newest stored sub-window stays the current one.
        mark[k] = bucket + 16777216 - steps
        total, newest, older, whole[k] = sum, entry1, value, nil
      elseif steps <= 16 then
        local size, last = #value, 76 - 4 * steps
        local empty = steps == 1 and ZERO3 or string.rep(ZERO, steps + 2)
        older = empty .. sub(value, 9, last)
        for p = last + 1, size, 4 do
          local gone = unpackBytes('<I4', value, p)
          sum = sum - (gone - gone % 256) / 256
        end
        -- Only the newest entry may have no count. It is the last one when it is alone.
        if entry1 < 256 and size == 12 then older = trim(older) end
        total = sum
        -- A state of the same size is written in place. Its lifetime is 21 sub-windows and is renewed in
        -- each fourth one. So it never ends before the newest unit has left, which takes 17.
        whole[k] = bucket % 4 >= steps and size or -size
      end
    end
    if #older == 76 then
      -- The oldest sub-window is only partly in the window.
      local oldest = unpackBytes('<I4', older, 73)
      local count = (oldest - oldest % 256) / 256
      if count == 0 or ((mark[k] or bucket) - 16 + oldest % 256 / 255) * part + window <= now then
        total = total - count
        older, whole[k] = sub(older, 1, 72), whole[k] or 76
        if unpackBytes('<I4', older, 69) < 256 then older = trim(older) end
      end
    end
    used[k], was[k], entry[k], ring[k] = total, total, newest, older
  `,
  charge: /* lua */ `
    if amount > 0 then
      used[k] = min(used[k] + amount, ${MAX_QUOTA})
    else
      -- The newest units are given back first.
      ${ADD_CHARGED}
      local back = min(-amount, used[k])
      used[k] = used[k] - back
      local fromNewest = min(back, floor(newest / 256))
      back = back - fromNewest
      local left = { sub(ring[k], 1, 12) }
      for p = 13, #ring[k], 4 do
        local older = unpackBytes('<I4', ring[k], p)
        local taken = min(back, floor(older / 256))
        back = back - taken
        left[#left + 1] = packBytes('<I4', older - taken * 256)
      end
      entry[k], was[k], ring[k] = newest - fromNewest * 256, used[k], trim(table.concat(left))
      whole[k], changed[k] = 0, true
    end
  `,
  retry: /* lua */ `
    ${ADD_CHARGED}
    local part, older, over = window / 16, ring[k], used[k] + cost - quota
    for i = max(0, (#older - 12) / 4), 0, -1 do
      local entry = i == 0 and newest or unpackBytes('<I4', older, i * 4 + 9)
      over = over - floor(entry / 256)
      if over <= 0 then
        wait = ((mark[k] or bucket) - i + entry % 256 / 255) * part + window - now
        break
      end
    end
  `,
  settle: /* lua */ `
    local part = window / 16
  `,
  finish: /* lua */ `
    local total, newest, older, number = used[k], entry[k], ring[k], mark[k] or bucket
    local charged, last = total - was[k], newest % 256
    if charged > 0 then
      newest = newest + charged * 256
      if last < hit and number == bucket then last, newest = hit, newest - last + hit end
    end
    if total > 0 then
      local steps, size = 0, #older
      if newest < 256 then
        local entry = 0
        while entry < 256 do
          steps = steps + 1
          entry = unpackBytes('<I4', older, steps * 4 + 9)
        end
        last = entry % 256
      end
      reset = (number - steps + last / 255) * part + window - now
      refill = reset
      if size > steps * 4 + 12 then
        local oldest = unpackBytes('<I4', older, size - 3)
        refill = (number - (size - 12) / 4 + oldest % 256 / 255) * part + window - now
      end
    end
    if charged > 0 or changed[k] then
      if whole[k] then
        local head = packBytes('<I2I3I3I4', shape, number % 16777216, total, newest)
        local size = #older < 12 and 12 or #older
        if whole[k] == size then
          call('SETRANGE', KEYS[k + 1], '0', head .. sub(older, 13))
        elseif whole[k] == -size then
          call('SETRANGE', KEYS[k + 1], '0', head .. sub(older, 13))
          call('PEXPIRE', KEYS[k + 1], ceil(part * 21) + 1)
        else
          call('SET', KEYS[k + 1], head .. sub(older, 13), 'PX', ceil(part * 21) + 1)
        end
      else
        call('SETRANGE', KEYS[k + 1], '5', packBytes('<I3I4', total, newest))
      end
    end
  `,
}

const PARTS = 16

/** The same strict sliding window, in memory. */
export function createSlidingCounter(windowMs: number): Counter {
  const partMs = windowMs / PARTS
  /** Newest first, at most 17. `last` is the time of the last hit in 255ths, rounded up. */
  let entries: { count: number; last: number }[] = []
  let bucket = 0

  function leavesAtMs(i: number): number {
    return (bucket - i + (entries[i]?.last ?? 0) / 255) * partMs + windowMs
  }

  function trim() {
    while (entries.length > 1 && entries.at(-1)?.count === 0) entries.pop()
  }

  function advance(nowMs: number) {
    const current = Math.floor(nowMs / partMs)
    const steps = current - bucket
    if (steps > PARTS || entries.length === 0) {
      entries = [{ count: 0, last: 0 }]
      bucket = current
    } else if (steps > 0) {
      const empty = Array.from({ length: steps }, () => ({ count: 0, last: 0 }))
      entries = [...empty, ...entries].slice(0, PARTS + 1)
      bucket = current
    }
    // The oldest sub-window is only partly in the window.
    if (entries.length > PARTS && leavesAtMs(PARTS) <= nowMs) entries.pop()
    trim()
  }

  function used(nowMs: number): number {
    advance(nowMs)
    return entries.reduce((sum, { count }) => sum + count, 0)
  }

  return {
    used,
    charge(nowMs, amount) {
      const newest = entries[0]
      if (!newest) return
      if (amount > 0) {
        newest.count += amount
        const last = Math.ceil(((nowMs - bucket * partMs) / partMs) * 255)
        newest.last = Math.max(newest.last, Math.min(255, last))
        return
      }
      let back = -amount
      for (const entry of entries) {
        const units = Math.min(back, entry.count)
        entry.count -= units
        back -= units
      }
      trim()
    },
    times(nowMs) {
      const newest = entries.findIndex(({ count }) => count > 0)
      return {
        refillMs: leavesAtMs(entries.length - 1) - nowMs,
        resetMs: leavesAtMs(newest) - nowMs,
      }
    },
    retryMs(nowMs, cost, quota) {
      let over = used(nowMs) + cost - quota
      for (let i = entries.length - 1; i > 0; i -= 1) {
        over -= entries[i]?.count ?? 0
        if (over <= 0) return leavesAtMs(i) - nowMs
      }
      return leavesAtMs(0) - nowMs
    },
    endsAtMs: () => (bucket + PARTS + 1) * partMs,
  }
}
