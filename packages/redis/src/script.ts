import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'

/** A Lua script, known to the server by the SHA-1 of its text. */
export interface Script {
  readonly lua: string
  readonly sha: string
  /** How many of the arguments are keys; all of them must share a hash tag. */
  readonly keys: number
}

/** Declares a script; see the constant's header for its KEYS, ARGV and return values. */
export function script({ keys, lua }: { keys: number; lua: string }): Script {
  return { keys, lua, sha: createHash('sha1').update(lua).digest('hex') }
}

/**
 * Runs a script by its hash: one round trip, and two when the server does not know it yet (first
 * use, restart, failover, SCRIPT FLUSH).
 */
export async function runScript(
  redis: Redis,
  { lua, sha, keys }: Script,
  keyNames: string[],
  args: (string | number)[] = [],
): Promise<unknown> {
  if (keyNames.length !== keys) {
    throw new TypeError(`this script takes ${keys} keys, not ${keyNames.length}`)
  }
  try {
    return await redis.evalsha(sha, keys, ...keyNames, ...args)
  } catch (error) {
    // NOSCRIPT is answered before anything ran: sending the whole script repeats nothing.
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return redis.eval(lua, keys, ...keyNames, ...args)
  }
}
