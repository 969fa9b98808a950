import { Redis, type RedisOptions } from 'ioredis'
import { viaCluster } from './via-cluster.ts'
import { viaSentinels } from './via-sentinels.ts'

/** Where Redis is: one server, one behind sentinels, or a cluster. */
export interface Topology {
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
 * @throws TypeError for an address without a host, and for sentinels and a cluster at once
 */
export function openClient(
  { url, sentinels, clusterNodes }: Topology,
  hashTag: string,
  options: Omit<RedisOptions, 'replyMapping'>,
): Redis {
  if (sentinels && clusterNodes) throw new TypeError('a cluster has no sentinels')
  if (sentinels) return new Redis({ ...options, ...viaSentinels(url, sentinels) })
  if (clusterNodes) return new Redis({ ...options, ...viaCluster(url, clusterNodes, hashTag) })
  return new Redis(url, options)
}
