import type { AlgorithmLua } from './algorithm-lua.ts'
import { MAX_QUOTA } from './policy.ts'

/**
 * Strict sliding window: a ring of sub-windows, each a sixteenth of the window. Counted are the
 * current one and 16 older: as many as a window of any position touches, so that no rolling window
 * holds more than the quota. Each keeps when it was last hit, in 255ths and rounded up, so that it
 * is given back that long after its last hit and not up to a sixteenth of a window later.
 *
 * State: u16 shape · u24 number of the current sub-window · u24 total · u32 entries, newest first, of
 * count * 256 + last hit. Entries before the first hit are not stored. The second to fourth byte of
 * an entry are 0 when it has no count.
 */
export const slidingLua: AlgorithmLua = {
  kind: 1,
  read: /* lua */ `
    local part, bucket = limit.part, limit.bucket
    if not part then
      part = window / 16
      bucket = floor(now / part)
      limit.part, limit.bucket = part, bucket
      limit.at = min(255, ceil((now - bucket * part) / part * 255))
    end
    used[k], mark[k], whole[k], count[k], last[k], ring[k] = 0, bucket, true, 0, 0, ''
    if value and #value >= 12 then
      local shape, stored, total, entry = unpackBytes('<I2I3I3I4', value)
      local steps = shape == limit.shape and (bucket - stored) % 16777216 or 17
      if steps == 0 or steps >= 8388608 then
        -- If the server's clock went back, the newest sub-window that is known stays the current one.
        if steps > 0 then mark[k] = bucket + 16777216 - steps end
        last[k] = entry % 256
        count[k] = (entry - entry % 256) / 256
        ring[k], used[k], whole[k] = value, total, false
      elseif steps <= 16 then
        value = string.rep(ZERO, steps + 2) .. sub(value, 9)
        for p = 77, #value, 4 do
          local gone = unpackBytes('<I4', value, p)
          total = total - (gone - gone % 256) / 256
        end
        ring[k], used[k] = trim(sub(value, 1, 76)), total
      end
      if #ring[k] == 76 then
        -- The oldest is only partly in the window.
        local oldest = unpackBytes('<I4', ring[k], 73)
        if (mark[k] - 16 + oldest % 256 / 255) * part + window <= now then
          used[k] = used[k] - (oldest - oldest % 256) / 256
          ring[k], whole[k] = trim(sub(ring[k], 1, 72)), true
        end
      end
    end
  `,
  charge: /* lua */ `
    if amount > 0 then
      if amount > ${MAX_QUOTA} - used[k] then amount = ${MAX_QUOTA} - used[k] end
      count[k] = count[k] + amount
      used[k] = used[k] + amount
      if mark[k] == limit.bucket and limit.at > last[k] then last[k] = limit.at end
    else
      -- The newest are taken back first.
      local back = min(-amount, used[k])
      used[k] = used[k] - back
      local n = min(back, count[k])
      count[k], back = count[k] - n, back - n
      local left = { sub(ring[k], 1, 12) }
      for p = 13, #ring[k], 4 do
        local entry = unpackBytes('<I4', ring[k], p)
        n = min(back, floor(entry / 256))
        back = back - n
        left[#left + 1] = packBytes('<I4', entry - n * 256)
      end
      ring[k], whole[k] = trim(table.concat(left)), true
    end
  `,
  times: /* lua */ `
    local part, older, newest, hit = limit.part, ring[k], 0, last[k]
    if count[k] == 0 then
      local entry = 0
      while entry < 256 do
        newest = newest + 1
        entry = unpackBytes('<I4', older, newest * 4 + 9)
      end
      hit = entry % 256
    end
    reset = (mark[k] - newest + hit / 255) * part + window - now
    refill = reset
    if #older > newest * 4 + 12 then
      local oldest = unpackBytes('<I4', older, #older - 3)
      refill = (mark[k] - (#older - 12) / 4 + oldest % 256 / 255) * part + window - now
    end
  `,
  retry: /* lua */ `
    local part, older, over = limit.part, ring[k], used[k] + cost - quota
    for i = max(0, (#older - 12) / 4), 0, -1 do
      local entry = i == 0 and count[k] * 256 + last[k] or unpackBytes('<I4', older, i * 4 + 9)
      over = over - floor(entry / 256)
      if over <= 0 then
        wait = (mark[k] - i + entry % 256 / 255) * part + window - now
        break
      end
    end
  `,
  write: /* lua */ `
    local entry = count[k] * 256 + last[k]
    if whole[k] then
      local state = packBytes('<I2I3I3I4', limit.shape, mark[k] % 16777216, used[k], entry)
      redis.call('SET', key, state .. sub(ring[k], 13), 'PX', ceil(limit.part * 17) + 1)
    else
      redis.call('SETRANGE', key, '5', packBytes('<I3I4', used[k], entry))
    end
  `,
}
