import { byCountingKind } from '../algorithms/algorithms.ts'

/** Requests with at most this number of needs have a script of their own. */
export const MAX_ONE = 4

/** The names that stand for a count or its group in the parts of an algorithm. */
const OF_COUNT = /\b(used|was|entry|mark|whole|changed|ring)\[k\]/g
const OF_GROUP = /\b(kind|window|quota|shape|bucket|hit)\b/g

/** Lua of one count, with a local variable for each of its values. */
function ofCount(lua: string, k: number): string {
  return lua
    .replaceAll(OF_COUNT, `$1_${k}`)
    .replaceAll(OF_GROUP, `$1_${k}`)
    .replaceAll('KEYS[k + 1]', `KEYS[${k + 1}]`)
}

/** The names of numbers of a count, such as `g1_0, g1_1`. */
function numbers(name: string, count: number) {
  return (k: number) => Array.from({ length: count }, (_, i) => `${name}${k}_${i}`).join(', ')
}

/**
 * The first part of a take script that is sent for one request with `needs` needs, each of a policy
 * and a group of its own: it admits the request if all fit and none is blocked, and answers; else it
 * changes nothing and the part for batches runs. It consists of the same parts of the algorithms, but
 * needs no tables: with requests that arrive one by one, these were a third of the script.
 */
export function takeOne(needs: number): string {
  const each = (text: (k: number) => string) => Array.from({ length: needs }, (_, i) => text(i + 1))
  const list = (text: (k: number) => string) => each(text).join(', ')

  return /* lua */ `
do
  local ${list((k) => `kind_${k}, window_${k}, quota_${k}, cost_${k}, shape_${k}`)}
  do
    local ${list(numbers('g', 11))}, _, ${list(numbers('l', 6))} = string.byte(ARGV[1], 2, ${2 + 17 * needs})
    ${each(
      (k) => /* lua */ `
    kind_${k} = g${k}_0
    window_${k} = g${k}_1 + g${k}_2 * 2^7 + g${k}_3 * 2^14 + g${k}_4 * 2^21 + g${k}_5 * 2^28
    quota_${k} = g${k}_6 + g${k}_7 * 2^7 + g${k}_8 * 2^14 + g${k}_9 * 2^21
    cost_${k} = l${k}_1 + l${k}_2 * 2^7 + l${k}_3 * 2^14 + l${k}_4 * 2^21
    shape_${k} = (window_${k} * 4 + kind_${k}) % 65521`,
    ).join('\n')}
  end
  local free = true
  if blocks then
    for k = 1, ${needs} do
      if blocks[k] and blocks[k] - now > 0 then free = false end
    end
  end
  local ${list((k) => `ring_${k}`)} = ${list((k) => `ring[${k}]`)}
  local ${list((k) => `used_${k}, was_${k}, entry_${k}, bucket_${k}, hit_${k}`)}
  local ${list((k) => `mark_${k}, whole_${k}, changed_${k}`)}
  ${each((k) =>
    ofCount(
      byCountingKind(({ prepare, read }) => `${prepare} ${read}`),
      k,
    ),
  ).join('\n')}
  if free and ${each((k) => `used_${k} + cost_${k} <= quota_${k} + EDGE`).join(' and ')} then
    local ${list((k) => `refill_${k}, reset_${k}`)} = ${list(() => '0, 0')}
    ${each(
      (k) => /* lua */ `
    used_${k} = used_${k} + cost_${k}
    do
      local refill, reset = 0, 0
      ${ofCount(
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
