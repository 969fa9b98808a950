import { script } from '@repo/redis'

/*
 * The value of a key, in bytes. All numbers are decimal digits, and a record follows as raw bytes.
 *
 *   offset  bytes
 *   0       1      format: '1'. The bytes after it have the meaning that this format defines.
 *   1       1      state: 'P' pending, 'C' completed, 'R' released before it was claimed
 *   2       22     token of the holder
 *   24      43     fingerprint of the request
 *   67      13     end of the lease, in ms by the clock of Redis
 *   80      6      attempt
 *   86             record, in the state 'C'
 *
 * 'R' ends after the token. Lua counts bytes from 1, and GETRANGE and SETRANGE count them from 0.
 */

/** The first byte of each value that this release can read. */
export const FORMAT = '1'

/** The number of bytes before a record. */
export const RECORD_OFFSET = 86

/** Defines `nowMs`, the only clock of leases. Lua without 64-bit integers has no `%d` for it. */
const CLOCK = /* lua */ `
    local time = redis.call('TIME')
    local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
`

/**
 * Claims a key, or reads what is stored. A replay costs one GET.
 *
 * KEYS: 1 record
 * ARGV: 1 token · 2 fingerprint · 3 leaseMs · 4 ms from now until an abandoned claim expires
 * Returns the attempt, from 1, if it is claimed · 0 for another fingerprint · minus the ms until the
 *   lease of another holder ends · the value, if it is completed · the first byte of the value, if
 *   its format is of another release.
 * Fails with WITHDRAWN if the claim was released before it arrived.
 */
export const BEGIN = script({
  keys: 1,
  lua: /* lua */ `
    local sub = string.sub
    local value = redis.call('GET', KEYS[1])
    local state = value and sub(value, 1, 2)
    local attempt = 1
    if state == '${FORMAT}R' then
      if sub(value, 3, 24) == ARGV[1] then
        return redis.error_reply('WITHDRAWN the claim was released before it arrived')
      end
      state = false
    end
    if state then
      if state ~= '${FORMAT}C' and state ~= '${FORMAT}P' then return sub(value, 1, 1) end
      if sub(value, 25, 67) ~= ARGV[2] then return 0 end
      if state == '${FORMAT}C' then return value end
    end
    ${CLOCK}
    if state then
      local leftMs = tonumber(sub(value, 68, 80)) - nowMs
      if leftMs > 0 then return -leftMs end
      attempt = math.min(tonumber(sub(value, 81, 86)) + 1, 999999)
    end
    local head = string.format('%013.0f%06.0f', nowMs + ARGV[3], attempt)
    redis.call('SET', KEYS[1], '${FORMAT}P' .. ARGV[1] .. ARGV[2] .. head, 'PX', ARGV[4])
    return attempt
  `,
})

/**
 * Stores a record under its claim. A missing claim was lost with the memory of Redis, so the record is
 * stored then too. A second call with the same token changes nothing.
 *
 * KEYS: 1 record · 2 steps, if there may be some: they are deleted
 * ARGV: 1 token · 2 fingerprint · 3 record · 4 ms until the record expires
 * Returns 1 if it is stored · 2 if it is stored although the claim was missing · 0 if another holder has
 *   the claim · the value, if another holder has completed the same request · the first byte of the
 *   value, if its format is of another release.
 */
export const COMPLETE = script({
  keys: 1,
  lua: /* lua */ `
    local sub = string.sub
    local head = redis.call('GETRANGE', KEYS[1], 0, ${RECORD_OFFSET - 1})
    local state, token = sub(head, 1, 2), sub(head, 3, 24)
    local outcome, claim = 2, ARGV[1] .. ARGV[2] .. '0000000000000000001'
    if state == '${FORMAT}R' then
      if token == ARGV[1] then return 0 end
    elseif state == '${FORMAT}P' then
      if token ~= ARGV[1] then return 0 end
      outcome, claim = 1, sub(head, 3)
    elseif state == '${FORMAT}C' then
      if token == ARGV[1] then return 1 end
      if sub(head, 25, 67) ~= ARGV[2] then return 0 end
      return redis.call('GET', KEYS[1])
    elseif head ~= '' then
      return sub(head, 1, 1)
    end
    redis.call('SET', KEYS[1], '${FORMAT}C' .. claim .. ARGV[3], 'PX', ARGV[4])
    if KEYS[2] then redis.call('DEL', KEYS[2]) end
    return outcome
  `,
})

/**
 * Deletes a claim, so that the next attempt begins at once. Steps stay for it.
 *
 * KEYS: 1 record
 * ARGV: 1 token
 * Returns 1 if the claim was deleted, 0 if it is missing, completed or of another holder.
 */
export const RELEASE = script({
  keys: 1,
  lua: /* lua */ `
    if redis.call('GETRANGE', KEYS[1], 0, 23) ~= '${FORMAT}P' .. ARGV[1] then return 0 end
    return redis.call('DEL', KEYS[1])
  `,
})

/**
 * Releases a claim whose BEGIN was not answered. It may have been executed, or may be executed later
 * from another connection: then it finds the token here and claims nothing. A claim that took over an
 * abandoned one is ended but stays, because it has the number of attempts.
 *
 * KEYS: 1 record
 * ARGV: 1 token · 2 ms in which a BEGIN can arrive late
 * Returns 1 if there was a claim, otherwise 0.
 */
export const WITHDRAW = script({
  keys: 1,
  lua: /* lua */ `
    local head = redis.call('GETRANGE', KEYS[1], 0, ${RECORD_OFFSET - 1})
    if head == '' then
      redis.call('SET', KEYS[1], '${FORMAT}R' .. ARGV[1], 'PX', ARGV[2])
      return 0
    end
    if string.sub(head, 1, 24) ~= '${FORMAT}P' .. ARGV[1] then return 0 end
    local attempt = tonumber(string.sub(head, 81, 86))
    if attempt == 1 then return redis.call('DEL', KEYS[1]) end
    redis.call('SETRANGE', KEYS[1], 67, string.format('%013.0f%06.0f', 0, attempt - 1))
    return 1
  `,
})

/**
 * Prolongs claims. A missing claim was lost with the memory of Redis, and is written again, also over
 * the state 'R' of another token.
 *
 * KEYS: 1... records
 * ARGV: 1 leaseMs · 2 ms until an abandoned claim expires · 3... token and fingerprint of each record
 * Returns the positions, from 1, of the claims that belong to another holder.
 */
export const RENEW = script({
  keys: 1,
  lua: /* lua */ `
    ${CLOCK}
    local lease = string.format('%013.0f', nowMs + ARGV[1])
    local lost = {}
    for i = 1, #KEYS do
      local token, fingerprint = ARGV[2 * i + 1], ARGV[2 * i + 2]
      local head = redis.call('GETRANGE', KEYS[i], 0, 23)
      local isReleased = string.sub(head, 1, 2) == '${FORMAT}R'
      if isReleased and string.sub(head, 3) ~= token then head = '' end
      if head == '' then
        local claim = '${FORMAT}P' .. token .. fingerprint .. lease .. '000001'
        redis.call('SET', KEYS[i], claim, 'PX', ARGV[2])
      elseif head == '${FORMAT}P' .. token then
        redis.call('SETRANGE', KEYS[i], 67, lease)
        redis.call('PEXPIRE', KEYS[i], ARGV[2])
      elseif head ~= '${FORMAT}C' .. token then
        lost[#lost + 1] = i
      end
    end
    return lost
  `,
})

/**
 * Reads the results of the steps of a request.
 *
 * KEYS: 1 steps
 * Returns names and results in turn.
 */
export const READ_STEPS = script({
  keys: 1,
  lua: /* lua */ `return redis.call('HGETALL', KEYS[1])`,
})

/**
 * Stores the result of a step, unless another holder has the claim or it is completed.
 *
 * KEYS: 1 record · 2 steps
 * ARGV: 1 token · 2 name · 3 result · 4 ms until all results expire
 * Returns 1 if it is stored, otherwise 0.
 */
export const WRITE_STEP = script({
  keys: 2,
  lua: /* lua */ `
    local head = redis.call('GETRANGE', KEYS[1], 0, 23)
    if head ~= '' and head ~= '${FORMAT}P' .. ARGV[1] then return 0 end
    redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
    redis.call('PEXPIRE', KEYS[2], ARGV[4])
    return 1
  `,
})
