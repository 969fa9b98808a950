import { script } from '@repo/redis'
import { NOW, publishing } from './log/append-script.ts'

/**
 * Drops keys: Redis has no value of them afterwards, and no load in flight can store one (I2).
 * KEYS, ARGV and reply as in `publishing`; KEYS 5... values; ARGV: 3 ms in which nothing may be stored
 */
export const drop = publishing(/* lua */ `
    local dropped = {}
    for i = 5, #KEYS do
      dropped[#dropped + 1] = KEYS[i]
      dropped[#dropped + 1] = string.sub(KEYS[i], 1, -2) .. 'l'
    end
    redis.call('DEL', unpack(dropped))
    if ARGV[3] ~= '0' then
      for i = 2, #dropped, 2 do redis.call('SET', dropped[i], 'hold', 'PX', ARGV[3]) end
    end
`)

/** Makes all values of a cache invalid. As `publishing`; ARGV: 3 the clear field of the cache. */
export const clear = publishing(`redis.call('HSET', KEYS[1], ARGV[3], n)`)

/** How long a cache that declares tags is listed, unless it is listed again, in ms. */
const LISTED_MS = 2 * 86_400_000

/**
 * Defines `listTagged(added)`, which adds names of caches to the list, and returns the names of all
 * caches for which a member declares tags. The list is the field `tagged` of the meta hash, as
 * `name:until`. The script defines `nowMs`.
 */
const TAGGED = /* lua */ `
  local function listTagged(added)
    local names, ends = {}, {}
    local listed = redis.call('HGET', KEYS[1], 'tagged') or ''
    for name, untilMs in string.gmatch(listed, '([^,:]+):(%d+)') do
      if tonumber(untilMs) > nowMs then
        names[#names + 1] = name
        ends[name] = untilMs
      end
    end
    if added == '' then return names end
    for name in string.gmatch(added, '[^,]+') do
      if not ends[name] then names[#names + 1] = name end
      ends[name] = string.format('%.0f', nowMs + ${LISTED_MS})
    end
    local fields = {}
    for i, name in ipairs(names) do fields[i] = name .. ':' .. ends[name] end
    redis.call('HSET', KEYS[1], 'tagged', table.concat(fields, ','))
    return names
  end
`

/**
 * Lists caches that declare tags.
 * KEYS: 1 meta
 * ARGV: 1 names of caches, with commas between
 * Returns 1.
 */
export const declareTagged = script({
  keys: 1,
  lua: /* lua */ `
    ${NOW}
    ${TAGGED}
    listTagged(ARGV[1])
    return 1
  `,
})

/**
 * Adds the names of the caches with tags to an entry, for the members that declare no tags.
 * ARGV: 4 names of such caches of this member, with commas between
 */
const NAME_TAGGED = /* lua */ `
    ${NOW}
    ${TAGGED}
    local payload, caches = ARGV[1], listTagged(ARGV[4])
    if #caches > 0 then
      payload = string.sub(payload, 1, -2) .. ',"' .. table.concat(caches, ',') .. '"]'
    end
`
/** A value of these caches that was stored without tags may have one of them. */
const DROP_UNTAGGED = /* lua */ `
    for _, cache in ipairs(caches) do
      redis.call('HSET', KEYS[1], 'clear:' .. cache .. ':untagged', n)
    end
`

/**
 * Makes all values with one of the tags invalid. As `publishing`; KEYS 5... tags;
 * ARGV: 3 life in ms · 4 as in NAME_TAGGED
 */
export const dropTags = publishing(
  /* lua */ `
    for i = 5, #KEYS do redis.call('SET', KEYS[i], n, 'PX', ARGV[3]) end
    ${DROP_UNTAGGED}
`,
  { prepare: NAME_TAGGED },
)

/**
 * Ends the freshness of all values with one of the tags. As `publishing`; KEYS 5... tags;
 * ARGV: 3 life in ms · 4 as in NAME_TAGGED · 5 ms in which older values may be served, or ''
 */
export const softenTags = publishing(
  /* lua */ `
    local untilMs = ARGV[5] == '' and '' or string.format('%.0f', nowMs + ARGV[5])
    for i = 5, #KEYS do
      local hard = redis.call('GETRANGE', KEYS[i], 0, 15)
      if hard == '' then hard = '0000000000000000' end
      redis.call('SET', KEYS[i], hard .. n .. untilMs, 'PX', ARGV[3])
    end
    ${DROP_UNTAGGED}
`,
  { prepare: NAME_TAGGED },
)
