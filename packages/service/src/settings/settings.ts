import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { z } from 'zod'
import { databaseUrl } from './database-url.ts'
import { redisSettings } from './redis-settings.ts'

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
    /** What is wrong with the value beside the values of other settings, if anything is. */
    conflict?: (values: Record<string, string | undefined>) => string | undefined
    /** Another setting, whose number this one must not be smaller than. */
    atLeast?: string
  }
}

const BE_ORIGIN = 'must be a scheme, a host and a port, such as https://example.com'

/** An http(s) origin. */
function originSetting() {
  return z
    .string()
    .trim()
    .refine(isOrigin, BE_ORIGIN)
    .transform((text) => new URL(text).origin)
}

/** A comma-separated list of http(s) origins, each of which is listed once. */
export function origins() {
  return z
    .string()
    .transform((list) => list.split(',').map((each) => each.trim()))
    .pipe(z.array(z.string().refine(isOrigin, BE_ORIGIN)).min(1))
    .transform((list) => [...new Set(list.map((each) => new URL(each).origin))])
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
  if (url.port === '0') return false
  return url.href === `${url.origin}/` && !/[?#]$/.test(text)
}

/** A secret of at least 32 characters, the same on every instance. */
export function secret(description: string) {
  return z
    .string()
    .min(32, 'must have at least 32 characters; make one with: openssl rand -base64 32')
    .meta({ description, shared: true, secret: true, example: '' })
}

/** A comma-separated list of other secrets that are accepted while a secret changes. */
export function acceptedSecrets(description: string) {
  return z
    .string()
    .transform((list) => list.split(',').map((each) => each.trim()))
    .pipe(z.array(z.string().min(32, 'must have at least 32 characters each')))
    .optional()
    .meta({ description, shared: true, secret: true, example: '' })
}

/** Settings of who checks session cookies. */
export const sessionSettings = {
  AUTH_SECRET: secret('signs session cookies; auth and gateway'),
  AUTH_SECRETS_ACCEPTED: acceptedSecrets(
    'other secrets whose cookies are good: the next or the last while it changes',
  ),
}

/** A duration of up to ten minutes. */
function milliseconds(byDefault: number, description: string) {
  return z.coerce.number().int().min(50).max(600_000).default(byDefault).meta({ description })
}

/** Two processes on one host, or on two hosts of one name, have different names. */
const DEFAULT_INSTANCE_ID = [
  hostname()
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .slice(0, 59),
  randomBytes(2).toString('hex'),
].join('-')

/** What every app reads. Each setting says whether all instances must agree on it. */
export const baseSettings = {
  NODE_ENV: z
    .enum(['development', 'test', 'production'])
    .default('development')
    .meta({ description: 'production refuses placeholder secrets', shared: true }),
  HOST: z.string().default('0.0.0.0').meta({ description: 'address to listen on' }),
  PORT: z
    .string()
    .regex(/^\d{1,5}$/, 'must be a port, 0 to 65535')
    .transform(Number)
    .pipe(z.int().max(65_535, 'must be a port, 0 to 65535'))
    .meta({ description: 'port to listen on' }),
  INSTANCE_ID: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'letters, digits, dots, dashes and underscores only')
    .default(() => DEFAULT_INSTANCE_ID)
    .meta({
      description:
        'name of this process, unique in the cluster; by default the host name and four random digits',
    }),
  INSTANCE_URL: originSetting()
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
  ...redisSettings,
  ORIGIN: originSetting().meta({
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
  DATABASE_URL: databaseUrl().meta({
    description: 'PostgreSQL 15+; may lead through PgBouncer in transaction mode',
    shared: true,
    secret: true,
    example: 'postgresql://postgres:postgres@localhost:5432/threefold',
  }),
  DATABASE_CONNECTIONS: z.coerce.number().int().min(1).default(80).meta({
    description:
      'connections the server grants to all instances together, at least DATABASE_INSTANCES',
    shared: true,
    atLeast: 'DATABASE_INSTANCES',
  }),
  DATABASE_INSTANCES: z.coerce.number().int().min(1).default(12).meta({
    description: 'instances that share them, the extra ones of a rolling change included',
    shared: true,
  }),
  DATABASE_MIN_CONNECTIONS: z.coerce.number().int().min(1).default(4).meta({
    description:
      'connections that an instance opens before it is ready, and keeps while they are idle',
  }),
  DATABASE_CONNECT_TIMEOUT_MS: milliseconds(5_000, 'how long opening one connection may take'),
  DATABASE_TIMEOUT_MS: milliseconds(
    1_500,
    'how long a query waits, for a connection included, while PostgreSQL answers no query',
  ),
  DATABASE_BUSY_TIMEOUT_MS: milliseconds(
    5_000,
    'how long a query waits at most while PostgreSQL answers other queries',
  ),
  DATABASE_BOOT_TIMEOUT_MS: milliseconds(
    15_000,
    'how long a start waits for PostgreSQL before the instance is ready without it',
  ),
  MIGRATE_ON_BOOT: z.stringbool().default(true).meta({
    description:
      'whether an instance brings the schema up to date before it serves; false where a job does',
  }),
}
