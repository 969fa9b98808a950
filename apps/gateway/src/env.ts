import { join } from 'node:path'
import {
  baseSettings,
  databaseSettings,
  identitySettings,
  origins,
  secret,
  sessionSettings,
  sourceSettings,
  tlsSettings,
  traceEntrySettings,
} from '@repo/service'
import { z } from 'zod'
import { canaries } from './upstreams/canaries.ts'
import { type AddressRange, parseRange } from './upstreams/client-ip.ts'
import { serviceSettings } from './upstreams/services.ts'
import { upstreamOptions } from './upstreams/upstream-options.ts'

export const gatewaySettings = {
  ...baseSettings,
  ...databaseSettings,
  ...tlsSettings,
  ...traceEntrySettings,
  ...sessionSettings,
  ...sourceSettings,
  INTERNAL_SECRET: secret('signs the identity of the caller between the gateway and upstreams'),
  ...identitySettings,
  ...serviceSettings,
  GEO_FILE: z.string().min(1).optional().meta({
    description:
      'database of countries in the MaxMind DB format, for limits and logs by country; off by default',
    example: '',
  }),
  IPV6_PREFIX: z.coerce
    .number()
    .pipe(z.union([z.literal(48), z.literal(56), z.literal(64)]))
    .default(64)
    .meta({
      description:
        'number of bits of an IPv6 address that limits count as one client: 48, 56 or 64',
      shared: true,
    }),
  UPSTREAM_CA_FILE: z.string().optional().meta({
    description:
      'file with the certificates (PEM) of the authorities of https upstreams, instead of the public ones',
    example: '',
  }),
  CORS_ORIGINS: origins().optional().meta({
    description:
      'origins whose pages can call the API and read its responses, comma-separated; with cookies if TRUSTED_ORIGINS has them too',
    shared: true,
    example: '',
  }),
  LIMITS_FILE: z
    .string()
    .default(join(import.meta.dirname, '../limits.json'))
    .meta({
      description:
        'file with the limits of requests; a change of the file applies to all instances',
      example: 'apps/gateway/limits.json',
    }),
  UPSTREAM_OPTIONS: upstreamOptions().default([]).meta({
    description:
      'services with the most requests in flight, a breaker or second requests, such as payments in-flight=200 breaker=50 hedge=95; off by default',
    shared: true,
    example: '',
  }),
  CANARIES: canaries().default([]).meta({
    description: 'instances of a new release with their share of the users in percent',
    shared: true,
    example: '',
  }),
  CANARY_OVERRIDE: z.enum(['off', 'administrators']).default('off').meta({
    description: 'callers whose X-Canary header (main or canary) chooses the instances',
    shared: true,
  }),
  LOOP_DELAY_LIMIT_MS: z.coerce.number().int().min(10).max(60_000).default(300).meta({
    description: 'delay of the event loop in ms from which requests are refused with 503',
    shared: true,
  }),
  TRUSTED_HOPS: z.coerce.number().int().min(0).max(10).default(1).meta({
    description: 'number of trusted proxies in front of the gateway, which write X-Forwarded-For',
    shared: true,
  }),
  TRUSTED_PROXIES: z.string().transform(toRanges).optional().meta({
    description:
      'instead of TRUSTED_HOPS: addresses and networks of the trusted proxies and of web, comma-separated',
    shared: true,
    example: '',
    excludes: 'TRUSTED_HOPS',
  }),
}

function toRanges(list: string, context: z.RefinementCtx): AddressRange[] {
  const ranges = list.split(',').map(parseRange)
  if (ranges.some((range) => range === undefined)) {
    const message = 'must be addresses or networks such as 10.0.0.0/8, comma-separated; not /0'
    context.addIssue({ code: 'custom', message })
  }
  return ranges.filter((range) => range !== undefined)
}

export type GatewayEnv = z.infer<z.ZodObject<typeof gatewaySettings>>
