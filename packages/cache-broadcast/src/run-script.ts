import { runScript, type Script } from '@repo/redis'
import { Command, type Redis } from 'ioredis'

/**
 * `runScript` for scripts that take any number of keys, and written at once: what would wait to be
 * pipelined with others of its tick is already a batch.
 */
export async function runBatch(
  client: Redis,
  script: Script,
  keys: string[],
  args: (string | number)[],
): Promise<unknown> {
  const sent = [script.sha, keys.length, ...keys, ...args]
  try {
    return await client.sendCommand(new Command('evalsha', sent, { replyEncoding: 'utf8' }))
  } catch (error) {
    // Answered before anything ran: sending the whole script repeats nothing.
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return runScript(client, { ...script, keys: keys.length }, keys, args)
  }
}

/** A reply of the server, read as the list that the script promises. */
export function list(reply: unknown): unknown[] {
  if (!Array.isArray(reply)) throw new TypeError(`not a list: ${String(reply)}`)
  return reply
}
