import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { checkOption, refuse, requireMethods } from './bad-option.ts'

/** More arguments than that do not fit the stack of `unpack` in Lua, nor of a call in JavaScript. */
const MAX_ITEMS = 100_000

/** A Lua script, known to the server by the SHA-1 of its text. */
export interface Script {
  readonly lua: string
  readonly sha: string
  /** How many of the arguments are keys; all of them must share a hash tag. */
  readonly keys: number
}

/**
 * Declares a script; see the constant's header for its KEYS, ARGV and return values.
 *
 * @throws RedisError `bad-option`
 */
export function script(declaration: { keys: number; lua: string }): Script {
  if (typeof declaration !== 'object' || declaration === null) refuse('script', 'an object')
  const { keys, lua } = checkOption('script', () => ({ ...declaration }))
  if (!Number.isInteger(keys) || keys < 0 || keys > MAX_ITEMS) refuse('keys', 'a number of keys')
  if (typeof lua !== 'string' || lua === '') refuse('lua', 'the text of a script')
  return { keys, lua, sha: createHash('sha1').update(lua).digest('hex') }
}

/**
 * Runs a script by its hash: one round trip, and two when the server does not know it yet (first
 * use, restart, failover, SCRIPT FLUSH).
 *
 * @throws RedisError `bad-option` before anything is sent; else the error of the client
 */
export async function runScript(
  redis: Redis,
  declared: Script,
  keyNames: string[],
  args: (string | number)[] = [],
): Promise<unknown> {
  requireMethods('redis', redis, ['eval', 'evalsha'])
  const { lua, sha, keys } = checkOption('script', () => ({ ...declared }))
  if (typeof sha !== 'string') refuse('script', 'made by script()')
  requireItems('keyNames', keyNames)
  requireItems('args', args)
  if (keyNames.length !== keys) {
    refuse('keyNames', `${keys} keys for this script, not ${keyNames.length}`)
  }
  try {
    return await redis.evalsha(sha, keys, ...keyNames, ...args)
  } catch (error) {
    // NOSCRIPT is answered before anything ran: sending the whole script repeats nothing.
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return redis.eval(lua, keys, ...keyNames, ...args)
  }
}

/** What is no text and no finite number would be sent as `undefined`, `NaN` or `[object Object]`. */
function requireItems(argument: string, items: readonly unknown[]): void {
  if (!Array.isArray(items) || items.length > MAX_ITEMS) {
    refuse(argument, `a list of at most ${MAX_ITEMS} items`)
  }
  for (const item of items) {
    const isItem = typeof item === 'string' ? item.isWellFormed() : Number.isFinite(item)
    if (!isItem) refuse(argument, 'well-formed texts and finite numbers')
  }
}
