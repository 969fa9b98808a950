import { Redis, type RedisOptions } from 'ioredis'
import { refuse, requireMethods } from '../bad-option.ts'
import type { Naming } from '../keys.ts'
import { requireTopology } from '../options.ts'
import { parseRedisUrl } from './address.ts'
import { viaCluster } from './via-cluster.ts'
import { type SentinelAccess, viaSentinels } from './via-sentinels.ts'
import { limitConnecting } from './watch-connection.ts'

/** The servers of Redis: one server, a primary behind sentinels, or a cluster. */
export interface Topology extends SentinelAccess, Naming {
  url: string
  /** `host:port` of each sentinel. The host of `url` is then the name of the primary. */
  sentinels?: readonly string[] | undefined
  /** `host:port` of other nodes of the Redis Cluster. `url` is one of its nodes. */
  clusterNodes?: readonly string[] | undefined
}

/**
 * Opens a client that is connected to one server at a time, also behind sentinels and in a cluster. So
 * it never sends a command again that may have run.
 * @param hashTag of all keys that it uses. In a cluster it connects to the node that owns their slot
 * @throws RedisError `bad-option` for a malformed address, and for sentinels and a cluster at once
 */
export function openClient(
  topology: Topology,
  hashTag: string,
  options: Omit<RedisOptions, 'replyMapping'>,
): Redis {
  requireTopology(topology)
  if (typeof hashTag !== 'string') refuse('hashTag', 'a string')
  // The timer of ioredis would end a connection before a paused process has read the socket.
  const client = createClient(topology, hashTag, { connectTimeout: 0, ...options })
  limitConnecting(client)
  return client
}

function createClient(
  { url, sentinels, clusterNodes, ...access }: Topology,
  hashTag: string,
  options: Omit<RedisOptions, 'replyMapping'>,
): Redis {
  if (sentinels) {
    return requireDatabase(new Redis({ ...options, ...viaSentinels(url, sentinels, access) }))
  }
  if (clusterNodes) return new Redis({ ...options, ...viaCluster(url, clusterNodes, hashTag) })
  const { host, port, tls, username, password, database } = parseRedisUrl(url)
  const where = {
    host,
    port,
    db: database,
    ...(username && { username }),
    ...(password && { password }),
    ...(tls && { tls: {} }),
  }
  return requireDatabase(new Redis({ ...options, ...where }))
}

const NO_DATABASE = /DB index is out of range|SELECT is not allowed|'select'/i

/** Whether a server lacks this database, or refuses it to this user. */
export function isNoDatabase(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError' && NO_DATABASE.test(error.message)
}

/** Ends a connection whose database cannot be selected: ioredis would continue in database 0. */
export function requireDatabase(client: Redis): Redis {
  requireMethods('client', client, ['on', 'disconnect'])
  client.on('error', (error) => {
    if (isNoDatabase(error)) client.disconnect(true)
  })
  return client
}
