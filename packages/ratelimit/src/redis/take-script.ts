import { script, type Script } from '@repo/redis'
import { byCountingKind, byKind } from '../algorithms/algorithms.ts'
import { concurrencyLua } from '../algorithms/concurrency.ts'

/** The format of the largest reply: a prefix of it costs less than a new string. */
const FORMAT = `<${'I4'.repeat(640)}`

/** Requests with at most this number of needs have their own script. */
export const MAX_SINGLE_NEEDS = 4

/** The names of values of a count, and of its group, in the parts of an algorithm. */
const COUNT_NAMES = /\b(used|was|entry|mark|whole|changed|ring)\[k\]/g
const GROUP_NAMES = /\b(kind|window|quota|shape|bucket|hit)\b/g

/** The Lua of one count, with a local variable for each of its values. */
function forCount(lua: string, k: number): string {
  return lua
    .replaceAll(COUNT_NAMES, `$1_${k}`)
    .replaceAll(GROUP_NAMES, `$1_${k}`)
    .replaceAll('KEYS[k + 1]', `KEYS[${k + 1}]`)
}

/** The names of the bytes of a count, such as `g1_0, g1_1`. */
function byteNames(name: string, count: number) {
  return (k: number) => Array.from({ length: count }, (_, i) => `${name}${k}_${i}`).join(', ')
}

/**
 * Checks a batch of requests, one after the other. It reads every count once, charges all needs of a
 * request or none (R3), and writes every changed count once. Only the clock of Redis decides (R2).
 *
 * KEYS: 1 blocks · 2... counts, those of a group side by side
 * ARGV: 1 the groups, limits and entries in the byte format of `take-wire.ts` · 2... the holders of the
 *   entries, or none at all
 * Returns the u32s of the format in `take-wire.ts`.
 *
 * @param clock defines `now` in ms
 * @param needs the number of needs of the single request that is sent with it; 0 for batches
 */
function takeScriptAt(clock: string, needs: number): Script {
  // One piece: a call of a Lua function costs as much as most of these parts.
  const lua = /* lua */ `
${clock}
local floor, ceil, min, max, sub = math.floor, math.ceil, math.min, math.max, string.sub
local call, packBytes, unpackBytes = redis.call, struct.pack, struct.unpack
local ZERO, ZERO3 = '\\0\\0\\0\\0', '\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0'
local NEVER, UP, EDGE = 4294967295, 0.999999, 1e-9
local ring = call('MGET', unpack(KEYS, 2))
local blocks = false
if call('EXISTS', KEYS[1]) == 1 then
  -- A block is of a subject. Its name is that of the count without the shape.
  local subjects = {}
  for k = 2, #KEYS do subjects[k - 1] = string.gsub(KEYS[k], '~[^:]*', '', 1) end
  blocks = call('ZMSCORE', KEYS[1], unpack(subjects))
end

local function trim(ring)
  while #ring > 12 and sub(ring, -3) == '\\0\\0\\0' do ring = sub(ring, 1, -5) end
  return ring
end
${needs > 0 ? singleTake(needs) : ''}
-- Tables of about their final size: growth costs more than the entries.
local ops, out, n = { string.byte(ARGV[1], 1, -1) }, { string.byte(ARGV[1], 1, -1) }, 0
local used, was, entry = { unpack(KEYS, 2) }, { unpack(KEYS, 2) }, { unpack(KEYS, 2) }
local mark, whole, changed, groups, limits = {}, {}, {}, {}, {}

local at, from, bucket, hit = 2, 1, 0, 0
for g = 1, ops[1] do
  local kind = ops[at]
  local window = ops[at + 1] + ops[at + 2] * 2^7 + ops[at + 3] * 2^14 + ops[at + 4] * 2^21 + ops[at + 5] * 2^28
  local quota = ops[at + 6] + ops[at + 7] * 2^7 + ops[at + 8] * 2^14 + ops[at + 9] * 2^21
  local to = ops[at + 10]
  -- Counts of another algorithm or window cannot be compared: a state of another shape is ignored.
  local shape = (window * 4 + kind) % 65521
  ${byKind(
    ({ prepare, read }) => /* lua */ `
    ${prepare}
    for k = from, to do ${read} end`,
  )}
  groups[g] = {
    kind = kind, window = window, quota = quota, from = from, to = to, shape = shape, bucket = bucket, hit = hit,
  }
  at, from = at + 11, to + 1
end

at = at + 1
for l = 1, ops[at - 1] do
  local group = groups[ops[at]]
  local cost = ops[at + 1] + ops[at + 2] * 2^7 + ops[at + 3] * 2^14 + ops[at + 4] * 2^21
  -- Slots of concurrency are never charged by the short path.
  local top = group.kind == ${concurrencyLua.kind} and -1 or group.quota + EDGE
  limits[l] = { group = group, cost = cost, top = top, shadow = ops[at + 5] == 1 }
  at = at + 6
end

local c, size = 0, #ops
while at < size do
  local times, first, final = ops[at], at + 2, at + 1 + 2 * ops[at + 1]
  local short = times == 1 and not blocks
  c, n = c + 1, n + 1
  if short then
    for d = first, final, 2 do
      local limit = limits[ops[d + 1]]
      if used[ops[d]] + limit.cost > limit.top then
        short = false
        break
      end
    end
  end
  if short then
    out[n] = 2
    for d = first, final, 2 do
      local k, limit = ops[d], limits[ops[d + 1]]
      local sum = used[k] + limit.cost
      local left = limit.top - sum
      used[k] = sum
      n = n + 1
      out[n] = left > 0 and left or 0
    end
  else
    local force = times >= 126
    local wanted = not force and times > 1 and times or 1
    local admitted, refused, free = wanted, false, {}

    for d = first, final, 2 do
      local k, limit = ops[d], limits[ops[d + 1]]
      local cost, count, units = limit.cost, wanted, limit.group.quota - used[k]
      if blocks and blocks[k] and blocks[k] - now > 0 then count = 0
      elseif units + EDGE < wanted * cost then
        count = cost > 0 and units > 0 and min(wanted, floor(units / cost + EDGE)) or 0
      end
      free[d - at] = count
      if count < wanted and not force then refused = true end
      if count < admitted and not limit.shadow then admitted = count end
    end
    if force then admitted = 1 end
    out[n] = admitted * 2 + (refused and 1 or 0)

    for d = first, final, 2 do
      local k, limit = ops[d], limits[ops[d + 1]]
      local group, cost, count = limit.group, limit.cost, free[d - at]
      local kind, window, quota, bucket, hit = group.kind, group.window, group.quota, group.bucket, group.hit
      if times == 126 then cost = -cost end
      -- A shadow limit that is over is not charged either: without the shadow it would refuse.
      local amount = times == 0 and 0 or force and cost or (admitted < count and admitted or count) * cost
      if amount ~= 0 then
        local holder = ARGV[c + 1] or ''
        ${byKind(({ charge }) => charge)}
      end
      local left = quota - used[k] + EDGE
      n = n + 1
      out[n] = left > 0 and left or 0
    end

    if refused then
      for d = first, final, 2 do
        local k, limit = ops[d], limits[ops[d + 1]]
        local group, cost, retry = limit.group, limit.cost, 0
        local kind, window, quota, bucket, hit = group.kind, group.window, group.quota, group.bucket, group.hit
        if free[d - at] < wanted then
          local wait = 0
          if used[k] + cost > quota then ${byKind(({ retry }) => retry)} end
          if blocks and blocks[k] then wait = max(wait, blocks[k] - now) end
          retry = cost > quota and NEVER or max(1, min(ceil(wait), NEVER - 1))
        end
        n = n + 1
        out[n] = retry
      end
    end
  end
  at = final + 1
end

for g = 1, #groups do
  local group = groups[g]
  local kind, window, quota, shape = group.kind, group.window, group.quota, group.shape
  local from, to, bucket, hit = group.from, group.to, group.bucket, group.hit
  ${byKind(
    ({ settle, finish }) => /* lua */ `
    ${settle}
    for k = from, to do
      local refill, reset = 0, 0
      ${finish}
      out[n + 1], out[n + 2], n = refill + UP, reset + UP, n + 2
    end`,
  )}
end
return packBytes(sub('${FORMAT}', 1, 1 + 2 * n), unpack(out, 1, n))
`
  return script({ keys: 0, lua })
}

/**
 * The first part of the script for one request with `needs` needs, each of another policy and group.
 * If all needs fit and none is blocked, it admits the request and returns. Otherwise it changes nothing
 * and the part for batches runs. It consists of the same parts of the algorithms, but without tables,
 * which were a third of the script when requests arrive one by one.
 */
function singleTake(needs: number): string {
  const each = (text: (k: number) => string) => Array.from({ length: needs }, (_, i) => text(i + 1))
  const list = (text: (k: number) => string) => each(text).join(', ')

  return /* lua */ `
do
  local ${list((k) => `kind_${k}, window_${k}, quota_${k}, cost_${k}, shape_${k}`)}
  do
    local ${list(byteNames('g', 11))}, _, ${list(byteNames('l', 6))} = string.byte(ARGV[1], 2, ${2 + 17 * needs})
    ${each(
      (k) => /* lua */ `
    kind_${k} = g${k}_0
    window_${k} = g${k}_1 + g${k}_2 * 2^7 + g${k}_3 * 2^14 + g${k}_4 * 2^21 + g${k}_5 * 2^28
    quota_${k} = g${k}_6 + g${k}_7 * 2^7 + g${k}_8 * 2^14 + g${k}_9 * 2^21
    cost_${k} = l${k}_1 + l${k}_2 * 2^7 + l${k}_3 * 2^14 + l${k}_4 * 2^21
    shape_${k} = (window_${k} * 4 + kind_${k}) % 65521`,
    ).join('\n')}
  end
  local isFree = true
  if blocks then
    for k = 1, ${needs} do
      if blocks[k] and blocks[k] - now > 0 then isFree = false end
    end
  end
  local ${list((k) => `ring_${k}`)} = ${list((k) => `ring[${k}]`)}
  local ${list((k) => `used_${k}, was_${k}, entry_${k}, bucket_${k}, hit_${k}`)}
  local ${list((k) => `mark_${k}, whole_${k}, changed_${k}`)}
  ${each((k) =>
    forCount(
      byCountingKind(({ prepare, read }) => `${prepare} ${read}`),
      k,
    ),
  ).join('\n')}
  if isFree and ${each((k) => `used_${k} + cost_${k} <= quota_${k} + EDGE`).join(' and ')} then
    local ${list((k) => `refill_${k}, reset_${k}`)} = ${list(() => '0, 0')}
    ${each(
      (k) => /* lua */ `
    used_${k} = used_${k} + cost_${k}
    do
      local refill, reset = 0, 0
      ${forCount(
        byCountingKind(({ settle, finish }) => `${settle} ${finish}`),
        k,
      )}
      refill_${k}, reset_${k} = refill + UP, reset + UP
    end`,
    ).join('\n')}
    return packBytes('<${'I4'.repeat(1 + 3 * needs)}', 2,
      ${list((k) => `quota_${k} + EDGE - used_${k}`)},
      ${list((k) => `refill_${k}, reset_${k}`)})
  end
end
`
}

/** The take scripts by the number of needs of a single request. The first one is for batches. */
export function takeScriptsAt(clock: string): readonly [Script, ...Script[]] {
  const single = Array.from({ length: MAX_SINGLE_NEEDS }, (_, i) => takeScriptAt(clock, i + 1))
  return [takeScriptAt(clock, 0), ...single]
}

export const takeScripts = takeScriptsAt(/* lua */ `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + time[2] / 1000
`)
