import { Redis, type RedisOptions } from 'ioredis'
import { refuse, requireMethods } from '../bad-option.ts'
import type { Naming } from '../keys.ts'
import { requireTopology } from '../options.ts'
import { parseRedisUrl } from './address.ts'
import { viaCluster } from './via-cluster.ts'
import { type SentinelAccess, viaSentinels } from './via-sentinels.ts'
import { limitConnecting } from './watch-connection.ts'

/** Where Redis is: one server, one behind sentinels, or a cluster. */
export interface Topology extends SentinelAccess, Naming {
  url: string
  /** `host:port` of each sentinel; the host of `url` is then the name by which they know the primary. */
  sentinels?: readonly string[] | undefined
  /** `host:port` of nodes of the Redis Cluster that `url` is a node of too. */
  clusterNodes?: readonly string[] | undefined
}

/**
 * A client that speaks to one server at a time, also behind sentinels and in a cluster, and so sends
 * nothing again that may have run.
 * @param hashTag of all keys that it will touch: in a cluster it speaks to the node that owns them
 * @throws RedisError `bad-option` for a malformed address, and for sentinels and a cluster at once
 */
export function openClient(
  topology: Topology,
  hashTag: string,
  options: Omit<RedisOptions, 'replyMapping'>,
): Redis {
  requireTopology(topology)
  if (typeof hashTag !== 'string') refuse('hashTag', 'a string')
  // Not by ioredis: its timer would end a connection before a paused process has read the socket.
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
    ...{ host, port, db: database },
    ...(username && { username }),
    ...(password && { password }),
    ...(tls && { tls: {} }),
  }
  return requireDatabase(new Redis({ ...options, ...where }))
}

const NO_DATABASE = /DB index is out of range|SELECT is not allowed|'select'/i

/** Whether a server has no such database, or does not let this user in there. */
export function isNoDatabase(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError' && NO_DATABASE.test(error.message)
}

/** ioredis goes on in database 0 when the one of the URL cannot be selected: such a connection ends. */
export function requireDatabase(client: Redis): Redis {
  requireMethods('client', client, ['on', 'disconnect'])
  client.on('error', (error) => {
    if (isNoDatabase(error)) client.disconnect(true)
  })
  return client
}
