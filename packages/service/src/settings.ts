import { hostname } from 'node:os'
import type { Topology } from '@repo/redis'
import { z } from 'zod'

declare module 'zod' {
  interface GlobalMeta {
    /** Must be identical on every instance that has it; part of the fingerprint. */
    shared?: boolean
    /** Never printed; may be given as NAME_FILE; a placeholder is refused in production. */
    secret?: boolean
    /** What `.env.example` shows. */
    example?: string
    /** Another setting that cannot be set beside it. */
    excludes?: string
  }
}

/** A comma-separated list of http(s) origins. */
export function origins() {
  return z
    .string()
    .transform((list) => list.split(',').map((origin) => origin.trim().replace(/\/$/, '')))
    .pipe(z.array(z.url({ protocol: /^https?$/ })).min(1))
}

/** Settings of the apps that check which page made a request. */
export const sourceSettings = {
  TRUSTED_ORIGINS: z
    .string()
    .transform((list) => list.split(',').map((origin) => origin.trim()))
    .pipe(z.array(z.string().refine(isOrigin, 'must be origins such as https://example.com')))
    .optional()
    .meta({
      description:
        'other origins whose pages may send changes with a session cookie, comma-separated',
      shared: true,
      example: '',
    }),
}

/** A scheme, a host and a port: no path, and no wildcard. */
function isOrigin(text: string): boolean {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol) || url.host.includes('*')) return false
  return url.href === `${url.origin}/`
}

/** A secret of at least 32 characters, the same on every instance. */
export function secret(description: string) {
  return z
    .string()
    .min(32, 'must have at least 32 characters; make one with: openssl rand -base64 32')
    .meta({ description, shared: true, secret: true, example: '' })
}

/** Settings of who checks session cookies. */
export const sessionSettings = {
  AUTH_SECRET: secret('signs session cookies; auth and gateway'),
  AUTH_SECRETS_ACCEPTED: z
    .string()
    .transform((list) => list.split(',').map((each) => each.trim()))
    .pipe(z.array(z.string().min(32, 'must have at least 32 characters each')))
    .optional()
    .meta({
      description: 'other secrets whose cookies are good: the next or the last while it changes',
      shared: true,
      secret: true,
      example: '',
    }),
}

/** A comma-separated list of host:port. */
const addresses = z
  .string()
  .transform((list) => list.split(',').map((address) => address.trim()))
  .pipe(z.array(z.string().regex(/^[^\s/:]+(:\d+)?$/, 'must be host:port, comma-separated')))

/** What every app reads. Each setting says whether all instances must agree on it. */
export const baseSettings = {
  NODE_ENV: z
    .enum(['development', 'test', 'production'])
    .default('development')
    .meta({ description: 'production refuses placeholder secrets', shared: true }),
  HOST: z.string().default('0.0.0.0').meta({ description: 'address to listen on' }),
  PORT: z.coerce.number().int().min(0).max(65_535).meta({ description: 'port to listen on' }),
  INSTANCE_ID: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'letters, digits, dots, dashes and underscores only')
    .default(() => hostname())
    .meta({
      description: 'name of this instance, unique in the cluster; the host name by default',
    }),
  INSTANCE_URL: z
    .url()
    .optional()
    .meta({ description: 'where others reach this instance; http://HOST:PORT by default' }),
  APP_VERSION: z
    .string()
    .default('0.1.0')
    .meta({ description: 'release, shown in /health and /api/cluster' }),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .meta({ description: 'least severe level that is logged' }),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).meta({
    description: 'Redis 7+ or Valkey 8+, with maxmemory-policy noeviction',
    shared: true,
    secret: true,
    example: 'redis://localhost:6379',
  }),
  REDIS_SENTINELS: addresses.optional().meta({
    description: "host:port of each sentinel; the host of REDIS_URL is then the primary's name",
    shared: true,
  }),
  REDIS_CLUSTER_NODES: addresses.optional().meta({
    description: 'host:port of more nodes of the Redis Cluster that REDIS_URL is a node of',
    shared: true,
    excludes: 'REDIS_SENTINELS',
  }),
  ORIGIN: z
    .url({ protocol: /^https?$/ })
    .transform((origin) => origin.replace(/\/$/, ''))
    .meta({
      description: 'what people type: the public origin of the load balancer',
      shared: true,
      example: 'http://localhost:8080',
    }),
  DRAIN_MS: z.coerce
    .number()
    .int()
    .min(0)
    .max(20_000)
    .default(2_000)
    .meta({ description: 'how long a draining instance still serves, so that balancers notice' }),
}

/** What apps with a database read. */
export const databaseSettings = {
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).meta({
    description: 'PostgreSQL 15+; may lead through PgBouncer in transaction mode',
    shared: true,
    secret: true,
    example: 'postgresql://postgres:postgres@localhost:5432/threefold',
  }),
  DATABASE_CONNECTIONS: z.coerce
    .number()
    .int()
    .min(1)
    .default(80)
    .meta({ description: 'connections the server grants to all instances together', shared: true }),
  DATABASE_INSTANCES: z.coerce.number().int().min(1).default(12).meta({
    description: 'instances that share them, the extra ones of a rolling change included',
    shared: true,
  }),
  MIGRATE_ON_BOOT: z.stringbool().default(true).meta({
    description:
      'whether an instance brings the schema up to date before it serves; false where a job does',
  }),
}

/** Where Redis is, for `connectRedis` and its like. */
export function redisTopology(env: {
  REDIS_URL: string
  REDIS_SENTINELS?: string[] | undefined
  REDIS_CLUSTER_NODES?: string[] | undefined
}): Topology {
  const { REDIS_URL: url, REDIS_SENTINELS: sentinels, REDIS_CLUSTER_NODES: clusterNodes } = env
  return { url, sentinels, clusterNodes }
}
