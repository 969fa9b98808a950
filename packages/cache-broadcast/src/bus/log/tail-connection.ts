import { limitConnecting, requireDatabase } from '@repo/redis'
import type { Redis } from 'ioredis'

/**
 * A connection for `createTail`, which detects its failures. It uses RESP3, so a subscriber may send
 * commands too.
 */
export function connectTail(client: Redis, member: string): Redis {
  const tail = client.duplicate({
    connectionName: `${member}-tail`,
    protocol: 3,
    lazyConnect: true,
    commandTimeout: undefined,
    socketTimeout: undefined,
    enableAutoPipelining: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  limitConnecting(tail)
  return requireDatabase(tail)
}
