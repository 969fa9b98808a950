import { join } from 'node:path'
import { serviceOf, startOrder } from '@repo/services'
import { STATE } from '../state/state.ts'
import type { Stores } from '../stores/stores.ts'
import type { Options } from '../terminal/options.ts'
import { type InstancePlan, originsOf, publicHost } from './topology.ts'

/** The instances that a rolling change can add to the planned ones. */
const SPARE_INSTANCES = 3
/** The instances' share of PostgreSQL's 100 connections. Migrations, the seed and users have the rest. */
const DATABASE_CONNECTIONS = 80

/** The environment of every process of the cluster. Variables of the caller override the local ones. */
export function sharedEnvironment(
  options: Options,
  plans: readonly InstancePlan[],
  stores: Pick<Stores, 'databaseUrl' | 'redisUrl' | 'isDatabaseEmbedded'>,
  secrets: Record<string, string>,
): Record<string, string> {
  const withDatabase = plans.filter(({ app }) => serviceOf(app).usesDatabase).length
  return {
    ...secrets,
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    ORIGIN: `http://${publicHost}:${options.port}`,
    DATABASE_CONNECTIONS: String(DATABASE_CONNECTIONS),
    DATABASE_INSTANCES: String(withDatabase + SPARE_INSTANCES),
    // The edge checks every 250 ms: after three checks, a draining instance receives no new requests.
    DRAIN_MS: '750',
    // All instances are of this checkout, so none of the release before runs.
    IDENTITY_VERSION_1: 'refuse',
    // Cached compiled code halves the CPU time of every start after the first.
    NODE_COMPILE_CACHE: join(STATE, 'compile-cache'),
    ...given(stores),
    ...withoutProxy(),
    API_URL: originsOf(plans, 'gateway'),
    ...Object.fromEntries(
      startOrder.map((app) => [`${app.toUpperCase()}_URLS`, originsOf(plans, app)]),
    ),
    EDGE_PORT: String(options.port),
    DEMO: String(hasDemoData(options, stores)),
    DATABASE_URL: stores.databaseUrl,
    REDIS_URL: stores.redisUrl,
  }
}

/**
 * Whether the start creates the demo accounts, which include an administrator with a public password: in the
 * embedded database unless `DEMO=false`, and in another database only with `--seed-demo`.
 */
export function hasDemoData(
  { seedDemo }: Pick<Options, 'seedDemo'>,
  { isDatabaseEmbedded }: Pick<Stores, 'isDatabaseEmbedded'>,
): boolean {
  const isRefused = /^(false|0|no|off|n|disabled)$/i.test(process.env['DEMO'] ?? '')
  return seedDemo || (isDatabaseEmbedded && !isRefused)
}

/** The additional variables of one instance. */
export function instanceEnvironment({ id, port, url }: InstancePlan): Record<string, string> {
  return { INSTANCE_ID: id, INSTANCE_URL: url, PORT: String(port) }
}

/** Variables that belong to one instance, or that change its runtime. */
const OWN = new Set(['PORT', 'HOST', 'INSTANCE_ID', 'INSTANCE_URL', 'NODE_ENV', 'NODE_OPTIONS'])

/** The launcher's own environment. */
function given({ isDatabaseEmbedded }: Pick<Stores, 'isDatabaseEmbedded'>): Record<string, string> {
  // PGSSLMODE, PGOPTIONS and similar variables do not belong to the embedded server.
  const isForeign = (name: string) =>
    OWN.has(name) || (isDatabaseEmbedded && /^PG[A-Z]+$/.test(name))
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || isForeign(name) ? [] : [[name, value]],
    ),
  )
}

/** The processes reach each other without the proxy that leads to other hosts. */
function withoutProxy(): Record<string, string> {
  const direct = process.env['NO_PROXY'] ?? process.env['no_proxy'] ?? ''
  const list = [...direct.split(',').filter(Boolean), 'localhost', '127.0.0.1', '::1'].join(',')
  return { NO_PROXY: list, no_proxy: list }
}
