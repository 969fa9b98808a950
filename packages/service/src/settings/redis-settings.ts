import {
  DEFAULT_PREFIX,
  findUrlFault,
  isPrefix,
  parseAddresses,
  parseRedisUrl,
  type Topology,
} from '@repo/redis'
import { z } from 'zod'

/** A comma-separated list of host:port. Repeated addresses are removed. */
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

/** The settings of the connection to Redis. */
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
        'prefix of keys and channels; deployments that share one Redis need different prefixes',
      shared: true,
    }),
  REDIS_LEGACY_NAMES: z
    .stringbool()
    .default(true)
    .meta({
      description:
        'whether channels are also served under their names without a database number; set it to ' +
        'false when every instance has a release with REDIS_PREFIX',
      shared: true,
    }),
  REDIS_SENTINELS: addresses.optional().meta({
    description:
      'host:port of each sentinel; the host of REDIS_URL is then the name of the primary',
    shared: true,
  }),
  REDIS_SENTINEL_USERNAME: z
    .string()
    .optional()
    .meta({ description: 'user of the sentinels, if they have users', shared: true }),
  REDIS_SENTINEL_PASSWORD: z.string().optional().meta({
    description: 'password of the sentinels, which is separate from the password of REDIS_URL',
    shared: true,
    secret: true,
    example: '',
  }),
  REDIS_SENTINEL_TLS: z.stringbool().optional().meta({
    description: 'whether sentinels use TLS; by default the same as REDIS_URL',
    shared: true,
  }),
  REDIS_CLUSTER_NODES: addresses.optional().meta({
    description: 'host:port of other nodes of the Redis Cluster; REDIS_URL is one of its nodes',
    shared: true,
    excludes: 'REDIS_SENTINELS',
    conflict: ({ REDIS_URL: url = '' }) =>
      !findUrlFault(url) && parseRedisUrl(url).database !== 0
        ? 'a cluster has only database 0, and REDIS_URL names another one'
        : undefined,
  }),
}

/** Converts the settings to the options of `connectRedis`. */
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
