import {
  DEFAULT_PREFIX,
  findUrlFault,
  isPrefix,
  parseAddresses,
  parseRedisUrl,
  type Topology,
} from '@repo/redis'
import { z } from 'zod'

/** A comma-separated list of host:port; each address is listed once. */
const addresses = z.string().transform((list, context) => {
  const { addresses: parsed, faults } = parseAddresses(list)
  const all = faults.join(', ')
  if (all) context.addIssue(`must be host:port, comma-separated: ${all}`)
  return parsed
})

const redisUrl = z
  .string()
  .trim()
  .superRefine((text, context) => {
    const fault = findUrlFault(text)
    if (fault) context.addIssue(fault)
  })

/** Where Redis is, and how an instance gets in. */
export const redisSettings = {
  REDIS_URL: redisUrl.meta({
    description: 'Redis 7+ or Valkey 8+, with maxmemory-policy noeviction',
    shared: true,
    secret: true,
    example: 'redis://localhost:6379',
  }),
  REDIS_PREFIX: z
    .string()
    .refine(isPrefix, 'must be 1 to 64 letters, digits, dots, dashes and underscores')
    .default(DEFAULT_PREFIX)
    .meta({
      description:
        'what keys and channels begin with; deployments on one Redis need different ones',
      shared: true,
    }),
  REDIS_LEGACY_NAMES: z
    .stringbool()
    .default(true)
    .meta({
      description:
        'whether channels are also served under their names without a database number; false when no ' +
        'instance of a release before REDIS_PREFIX runs any more',
      shared: true,
    }),
  REDIS_SENTINELS: addresses.optional().meta({
    description: "host:port of each sentinel; the host of REDIS_URL is then the primary's name",
    shared: true,
  }),
  REDIS_SENTINEL_USERNAME: z
    .string()
    .optional()
    .meta({ description: 'user of the sentinels, if they have users', shared: true }),
  REDIS_SENTINEL_PASSWORD: z.string().optional().meta({
    description: 'password of the sentinels, which is not that of REDIS_URL',
    shared: true,
    secret: true,
    example: '',
  }),
  REDIS_SENTINEL_TLS: z
    .stringbool()
    .optional()
    .meta({ description: 'whether sentinels speak TLS; as REDIS_URL by default', shared: true }),
  REDIS_CLUSTER_NODES: addresses.optional().meta({
    description: 'host:port of more nodes of the Redis Cluster that REDIS_URL is a node of',
    shared: true,
    excludes: 'REDIS_SENTINELS',
    conflict: ({ REDIS_URL: url = '' }) =>
      !findUrlFault(url) && parseRedisUrl(url).database !== 0
        ? 'a cluster has only database 0, and REDIS_URL names another one'
        : undefined,
  }),
}

/** Where Redis is, for `connectRedis` and its like. */
export function redisTopology(env: {
  REDIS_URL: string
  REDIS_SENTINELS?: string[] | undefined
  REDIS_SENTINEL_USERNAME?: string | undefined
  REDIS_SENTINEL_PASSWORD?: string | undefined
  REDIS_SENTINEL_TLS?: boolean | undefined
  REDIS_CLUSTER_NODES?: string[] | undefined
  REDIS_PREFIX: string
  REDIS_LEGACY_NAMES: boolean
}): Topology {
  return {
    url: env.REDIS_URL,
    sentinels: env.REDIS_SENTINELS,
    sentinelUsername: env.REDIS_SENTINEL_USERNAME,
    sentinelPassword: env.REDIS_SENTINEL_PASSWORD,
    sentinelTls: env.REDIS_SENTINEL_TLS,
    clusterNodes: env.REDIS_CLUSTER_NODES,
    prefix: env.REDIS_PREFIX,
    legacyNames: env.REDIS_LEGACY_NAMES,
  }
}
