import { script, type Script } from '@repo/redis'
import type { AlgorithmLua } from './algorithm-lua.ts'
import { concurrencyLua } from './concurrency-lua.ts'
import { fixedLua } from './fixed-lua.ts'
import { slidingLua } from './sliding-lua.ts'
import { tokenBucketLua } from './token-bucket-lua.ts'

const ALGORITHMS = [slidingLua, tokenBucketLua, fixedLua, concurrencyLua]

/** `kind` and the other numbers of a limit decide which algorithm's part runs. */
function each(part: keyof Omit<AlgorithmLua, 'kind'>): string {
  const cases = ALGORITHMS.map((it) => `if kind == ${it.kind} then ${it[part]}`)
  return `${cases.join(' else')} end`
}

/**
 * Checks a batch of requests, one after the other: reads every count once, charges all needs of a
 * request or none, and writes every changed count once.
 *
 * KEYS: 1 blocks · 2... counts
 * ARGV: 1 JSON [limits, leases]: a limit is [kind, windowMs, quota, cost, shadow 0 or 1], and leases
 *   are of the checks in their order, or none at all · 2 the checks, a byte below 128 for each number:
 *   how many such requests there are (0 asks and charges nothing, 127 charges without asking), how
 *   many needs, and for each need its count and its limit, counted from 1
 * Returns bytes: for each check u32 how many of its requests were admitted (for 0: whether one would
 *   be), and for each of its needs u32 remaining · refill ms · reset ms · retry ms, where 2^32-1 is
 *   never.
 */
export const take = takingAt(/* lua */ `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + time[2] / 1000
`)

/** The take script with another clock, which defines `now` in ms: for tests. */
export function takingAt(clock: string): Script {
  // All in one piece: a call of a Lua function costs as much as what most of these parts do.
  const lua = /* lua */ `
${clock}
local batch = cjson.decode(ARGV[1])
local limits, leases = batch[1], batch[2]
-- Bytes, and tables of their final size: one that grows costs more than what is put into it.
local ops = { string.byte(ARGV[2], 1, -1) }
local floor, ceil, min, max, sub = math.floor, math.ceil, math.min, math.max, string.sub
local packBytes, unpackBytes = struct.pack, struct.unpack
local ZERO, NEVER, UP = '\\0\\0\\0\\0', 4294967295, 0.999999
local values = redis.call('MGET', unpack(KEYS, 2))
local blocks = redis.call('EXISTS', KEYS[1]) == 1 and redis.call('ZMSCORE', KEYS[1], unpack(KEYS, 2))
local used, mark, whole = { unpack(KEYS, 2) }, { unpack(KEYS, 2) }, { unpack(KEYS, 2) }
local count, last, ring = { unpack(KEYS, 2) }, { unpack(KEYS, 2) }, { unpack(KEYS, 2) }
local dirty, fitting, out, n = {}, {}, {}, 0

local function trim(ring)
  while #ring > 12 and sub(ring, -3) == '\\0\\0\\0' do ring = sub(ring, 1, -5) end
  return ring
end

-- What another algorithm or window has counted cannot be compared: another shape begins anew.
for _, limit in ipairs(limits) do limit.shape = (limit[2] * 4 + limit[1]) % 65521 end

local at, c = 1, 0
while ops[at] do
  local times, first, final = ops[at], at + 2, at + 2 * ops[at + 1]
  c = c + 1
  local force = times == 127
  local wanted = not force and times > 1 and times or 1
  local admitted = wanted

  for d = first, final, 2 do
    local k, limit = ops[d], limits[ops[d + 1]]
    local window, quota, cost, value = limit[2], limit[3], limit[4], values[k]
    if value ~= true then
      local kind = limit[1]
      ${each('read')}
      values[k] = true
    end
    local free, fits = quota - used[k], wanted
    if blocks and blocks[k] and blocks[k] - now > 0 then fits = 0
    elseif free < wanted * cost then
      fits = cost > 0 and free > 0 and min(wanted, floor(free / cost + 1e-9)) or 0
    end
    fitting[d - at] = fits
    if fits < admitted and limit[5] == 0 then admitted = fits end
  end

  if force then admitted = 1 end
  out[n + 1] = admitted
  n = n + 1

  for d = first, final, 2 do
    local k, limit = ops[d], limits[ops[d + 1]]
    local kind, window, quota, cost = limit[1], limit[2], limit[3], limit[4]
    local fits = fitting[d - at]
    -- A shadow limit that is over is not charged either, as it would not be if it refused.
    local amount = times == 0 and 0 or force and cost or (admitted < fits and admitted or fits) * cost
    if amount ~= 0 then
      local lease = leases[c] or ''
      ${each('charge')}
      dirty[k] = limit
    end
    local refill, reset, retry, left = 0, 0, 0, quota - used[k] + 1e-9
    if used[k] > 0 then ${each('times')} end
    if fits < wanted and not force then
      local wait = 0
      if used[k] + cost > quota then ${each('retry')} end
      if blocks and blocks[k] then wait = max(wait, blocks[k] - now) end
      retry = cost > quota and NEVER or max(1, min(ceil(wait), NEVER - 1))
    end
    out[n + 1] = left > 0 and left or 0
    out[n + 2] = refill + UP
    out[n + 3] = reset + UP
    out[n + 4] = retry
    n = n + 4
  end
  at = final + 2
end

for k, limit in pairs(dirty) do
  local kind, window, quota, key = limit[1], limit[2], limit[3], KEYS[k + 1]
  ${each('write')}
end
return packBytes('<' .. string.rep('I4', n), unpack(out))
`
  return script({ keys: 0, lua })
}
