import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { z } from 'zod'
import { databaseUrl } from './database-url.ts'
import { redisSettings } from './redis-settings.ts'
import { traceSettings } from './trace-settings.ts'

declare module 'zod' {
  interface GlobalMeta {
    /** The value must be equal on all instances. It is part of the fingerprint. */
    shared?: boolean
    /** The value is never printed, can be read from NAME_FILE, and is no placeholder in production. */
    secret?: boolean
    /** The value in `.env.example`. */
    example?: string
    /** Another setting that cannot be set at the same time. */
    excludes?: string
    /** Returns the fault of the value in combination with the values of other settings. */
    conflict?: (values: Record<string, string | undefined>) => string | undefined
    /** Another setting, whose number is the minimum of this one. */
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

/** A comma-separated list of http(s) origins. Repeated origins are removed. */
export function origins() {
  return z
    .string()
    .transform((list) => list.split(',').map((each) => each.trim()))
    .pipe(z.array(z.string().refine(isOrigin, BE_ORIGIN)).min(1))
    .transform((list) => [...new Set(list.map((each) => new URL(each).origin))])
}

/** The settings of apps that check which page sent a request. */
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

/** A secret of at least 32 characters, which is equal on every instance. */
export function secret(description: string) {
  return z
    .string()
    .min(32, 'must have at least 32 characters; make one with: openssl rand -base64 32')
    .meta({ description, shared: true, secret: true, example: '' })
}

/** A comma-separated list of other secrets that are accepted while a secret is replaced. */
export function acceptedSecrets(description: string) {
  return z
    .string()
    .transform((list) => list.split(',').map((each) => each.trim()))
    .pipe(z.array(z.string().min(32, 'must have at least 32 characters each')))
    .optional()
    .meta({ description, shared: true, secret: true, example: '' })
}

/** The settings of the gateway and of the services behind it. */
export const identitySettings = {
  IDENTITY_VERSION_1: z.enum(['accept', 'refuse']).default('accept').meta({
    description:
      'whether version 1 of the identity header is sent and accepted; refuse when no instance of the release before runs',
    shared: true,
  }),
}

/** The settings of apps that check session cookies. */
export const sessionSettings = {
  AUTH_SECRET: secret('signs session cookies; auth and gateway'),
  AUTH_SECRETS_ACCEPTED: acceptedSecrets(
    'other secrets whose cookies are valid: the next or the previous one while it is replaced',
  ),
}

/** A duration of up to ten minutes. */
function milliseconds(byDefault: number, description: string) {
  return z.coerce.number().int().min(50).max(600_000).default(byDefault).meta({ description })
}

/** The random part differs between processes on one host, and on two hosts with one name. */
const DEFAULT_INSTANCE_ID = [
  hostname()
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .slice(0, 59),
  randomBytes(2).toString('hex'),
].join('-')

/** The settings of every app. `shared` marks values that must be equal on all instances. */
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
  INSTANCE_URL: originSetting().optional().meta({
    description: 'URL at which other instances reach this one; http://HOST:PORT by default',
  }),
  APP_VERSION: z
    .string()
    .default('0.1.0')
    .meta({ description: 'release, shown in /health and /api/cluster' }),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .meta({ description: 'least severe level that is logged' }),
  ...traceSettings,
  ...redisSettings,
  ORIGIN: originSetting().meta({
    description: 'public origin of the load balancer, as users type it',
    shared: true,
    example: 'http://localhost:8080',
  }),
  DRAIN_MS: z.coerce.number().int().min(0).max(20_000).default(2_000).meta({
    description: 'how long a draining instance still accepts requests, so that balancers detect it',
  }),
}

/** Returns the fault of one of two settings that need each other. */
function needs(other: string) {
  return (values: Record<string, string | undefined>) =>
    values[other] ? undefined : `needs ${other} too`
}

/** The settings of apps that can serve https themselves. */
export const tlsSettings = {
  TLS_CERT_FILE: z
    .string()
    .optional()
    .meta({
      description:
        'file with the certificate chain (PEM), with which this instance serves https; http without it',
      example: '',
      conflict: needs('TLS_KEY_FILE'),
    }),
  TLS_KEY_FILE: z
    .string()
    .optional()
    .meta({
      description: 'file with the key of TLS_CERT_FILE (PEM); both are read again when they change',
      example: '',
      conflict: needs('TLS_CERT_FILE'),
    }),
}

/** The settings of apps with a database. */
export const databaseSettings = {
  DATABASE_URL: databaseUrl().meta({
    description: 'PostgreSQL 15+, directly or through PgBouncer in transaction mode',
    shared: true,
    secret: true,
    example: 'postgresql://postgres:postgres@localhost:5432/threefold',
  }),
  DATABASE_CONNECTIONS: z.coerce.number().int().min(1).default(80).meta({
    description:
      'connections that the server grants to all instances together, at least DATABASE_INSTANCES',
    shared: true,
    atLeast: 'DATABASE_INSTANCES',
  }),
  DATABASE_INSTANCES: z.coerce.number().int().min(1).default(12).meta({
    description:
      'instances that share these connections, including the extra ones of a rolling change',
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
    'how long a start waits for PostgreSQL before the instance becomes ready without it',
  ),
  MIGRATE_ON_BOOT: z.stringbool().default(true).meta({
    description:
      'whether an instance applies missing migrations before it is ready; false where a job does',
  }),
}
