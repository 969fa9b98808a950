import type { RedisConnection } from '@repo/redis'
import type { Redis } from 'ioredis'
import { CacheError, toCacheError } from '../errors.ts'

export { sendScript as runBatch } from '@repo/redis'

/** Runs commands within the deadline of the connection (I9), with the errors of this package. */
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
