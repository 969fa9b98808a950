/**
 * What makes a stored value invalid: being older than the cache's last `clear`, the bus's `floor`,
 * or the last invalidation of one of its tags. What is older than the last softening of one of its
 * tags is not fresh, and invalid when the time to bridge is over.
 * A value that was stored without tags (`V`) is invalid too if it is older than the last invalidation
 * of any tag, in a cache whose other members store tags.
 * `meta`, `now`, `tagPrefix` and `more`, the names of further tags, are defined by the script.
 */
export const VALID = /* lua */ `
  local least = meta[2] or ''
  if meta[3] and meta[3] > least then least = meta[3] end
  local function claimKey(key) return string.sub(key, 1, -2) .. 'l' end
  local function tagsOf(value)
    local keys = {}
    local names = more
    if string.byte(value) == 84 then
      names = more .. ',' .. string.sub(value, 37, 36 + tonumber(string.sub(value, 31, 36)))
    end
    for name in string.gmatch(names, '[^,]+') do keys[#keys + 1] = tagPrefix .. name end
    return keys
  end
  local function held(value)
    local version = string.sub(value, 2, 17)
    if version < least then return false end
    if meta[4] and version < meta[4] and string.byte(value) == 86 then return false end
    if string.byte(value) ~= 84 and more == '' then return value end
    local soft = false
    local keys = tagsOf(value)
    if #keys == 0 then return value end
    for _, tag in ipairs(redis.call('MGET', unpack(keys))) do
      if tag then
        if string.sub(tag, 1, 16) > version then return false end
        if string.sub(tag, 17, 32) > version then
          local untilMs = string.sub(tag, 33)
          if untilMs ~= '' and tonumber(untilMs) <= now then return false end
          soft = true
        end
      end
    end
    if not soft then return value end
    return string.sub(value, 1, 17) .. '0000000000000' .. string.sub(value, 31)
  end
`
