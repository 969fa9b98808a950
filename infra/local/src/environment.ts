import { join } from 'node:path'
import type { Options } from './options.ts'
import { STATE } from './state.ts'
import type { Stores } from './stores.ts'
import { type InstancePlan, originsOf } from './topology.ts'

/** What a rolling change may add on top of the planned instances. */
const SPARE_INSTANCES = 3
/** Our share of PostgreSQL's 100 connections; the rest is for migrations, the seed and people. */
const DATABASE_CONNECTIONS = 80

/** What every process of the cluster gets: the caller's own settings win over the local ones. */
export function sharedEnvironment(
  { port }: Options,
  plans: readonly InstancePlan[],
  { databaseUrl, redisUrl }: Pick<Stores, 'databaseUrl' | 'redisUrl'>,
  secrets: Record<string, string>,
): Record<string, string> {
  const withDatabase = plans.filter(({ app }) => app !== 'web').length
  return {
    ...secrets,
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    ORIGIN: `http://localhost:${port}`,
    API_URL: originsOf(plans, 'gateway'),
    AUTH_URLS: originsOf(plans, 'auth'),
    PAYMENTS_URLS: originsOf(plans, 'payments'),
    GATEWAY_URLS: originsOf(plans, 'gateway'),
    WEB_URLS: originsOf(plans, 'web'),
    EDGE_PORT: String(port),
    DATABASE_CONNECTIONS: String(DATABASE_CONNECTIONS),
    DATABASE_INSTANCES: String(withDatabase + SPARE_INSTANCES),
    DEMO: 'true',
    // The edge asks every 250 ms: three checks, and a draining instance gets no new requests.
    DRAIN_MS: '750',
    // Compiled code is kept, so that every start but the first spends half the CPU.
    NODE_COMPILE_CACHE: join(STATE, 'compile-cache'),
    ...given(),
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
  }
}

/** What one instance gets beside it. */
export function instanceEnvironment({ id, port, url }: InstancePlan): Record<string, string> {
  return { INSTANCE_ID: id, INSTANCE_URL: url, PORT: String(port) }
}

/** The launcher's own environment, but for what belongs to one instance or would change its runtime. */
function given(): Record<string, string> {
  const own = new Set(['PORT', 'HOST', 'INSTANCE_ID', 'INSTANCE_URL', 'NODE_ENV', 'NODE_OPTIONS'])
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || own.has(name) ? [] : [[name, value]],
    ),
  )
}
