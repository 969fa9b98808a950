import { type RedisConnection, runScript, type Script } from '@repo/redis'
import { Command, type Redis } from 'ioredis'
import { CacheError, toCacheError } from './errors.ts'

/**
 * A command without a timer, because its caller has a deadline. Its reply is text. It is written at
 * once, and does not wait for other commands of its tick, because it is a batch already.
 */
export class Prompt extends Command {
  constructor(name: string, args: (string | number)[]) {
    super(name, args, { replyEncoding: 'utf8' })
  }

  override setTimeout(): void {}
}

/** Runs a script that takes any number of keys, as a `Prompt`. */
export function runBatch(
  client: Redis,
  script: Script,
  keys: string[],
  args: (string | number)[],
): Promise<unknown> {
  const command = new Prompt('evalsha', [script.sha, keys.length, ...keys, ...args])
  client.sendCommand(command)
  return command.promise.catch((error: unknown) => {
    // Nothing ran, so sending the whole script repeats nothing.
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return runScript(client, { ...script, keys: keys.length }, keys, args)
  })
}

/** Runs commands on the connection of the caller, with the errors of this package. */
export function createCall(redis: RedisConnection, isClosed: () => boolean) {
  return function call<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    if (isClosed()) return Promise.reject(new CacheError('closed', 'the bus was closed'))
    return redis.call(command).catch(rethrow)
  }
}

function rethrow(error: unknown): never {
  throw toCacheError(error)
}

/** Checks that a reply of the server is a list. */
export function list(reply: unknown): unknown[] {
  if (!Array.isArray(reply)) throw new TypeError(`the reply is not a list: ${String(reply)}`)
  return reply
}
