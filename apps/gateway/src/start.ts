import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { type Endpoint, endpoints } from '@repo/api/endpoints'
import { busFigures, cacheFigures, checkBus, createBus } from '@repo/cache-broadcast'
import { databaseFigures, openDatabase } from '@repo/database'
import { idempotencyFigures } from '@repo/idempotency'
import { createHistogram, traceQuery, traceRedisCall } from '@repo/observability'
import { createOutbox } from '@repo/outbox'
import { createLoadShedder, loadShedderFigures, upstreamFigures } from '@repo/proxy'
import {
  connectLimiterRedis,
  createRateLimiter,
  limiterFigures,
  limiterRedisFigures,
} from '@repo/ratelimit'
import {
  type Context,
  createIdentities,
  createUserHash,
  redisTopology,
  type Started,
} from '@repo/service'
import { listenerOf } from '@repo/service/hono'
import { cookieSiteOf, createSessions, sessionCookieName, sessionFigures } from '@repo/session'
import { createApp } from './app.ts'
import { createCors } from './browsers/cors.ts'
import { createSecurityHeaders } from './browsers/security-headers.ts'
import { createInstanceList } from './cluster/instances.ts'
import type { GatewayEnv } from './env.ts'
import { createForgeryCheck } from './forgery.ts'
import { createGateway } from './gateway.ts'
import { createWhoIs } from './geo/who-is.ts'
import { createGatewayOnce, createIdempotencyStage } from './idempotency/idempotency.ts'
import { createKeys } from './keys/keys.ts'
import { followLimits, readLimits } from './limits/limits-file.ts'
import { createPublishedLimits } from './limits/published-limits.ts'
import { withLoadShedding } from './overload.ts'
import { createProfiles } from './people/profiles.ts'
import { createRoutes } from './routing/routes.ts'
import { createFeatureSettings } from './settings/feature-settings.ts'
import { createUpgrades } from './upgrades.ts'
import { canaryGroupOf } from './upstreams/canaries.ts'
import { createIpOf } from './upstreams/client-ip.ts'
import { targetsOf } from './upstreams/discovery.ts'
import { type Connection, connectUpstream, createForwarders } from './upstreams/forward.ts'
import { services } from './upstreams/services.ts'
import { upstreamOptionsOf } from './upstreams/upstream-options.ts'

const IDLE_EVERY_MS = 50

/**
 * @param api the endpoints of the routes
 * @param leaseMs the lease of the claims of keys
 */
export async function start(
  env: GatewayEnv,
  context: Context,
  { api = endpoints, leaseMs }: { api?: readonly Endpoint[]; leaseMs?: number } = {},
): Promise<Started> {
  const { instance, log, redis, registry, metrics, traces, resources } = context
  const { ORIGIN: origin, TRUSTED_ORIGINS: trustedOrigins } = env
  const ipOf = createIpOf({ hops: env.TRUSTED_HOPS, ranges: env.TRUSTED_PROXIES })
  const routes = createRoutes(services, api)
  const file = await readLimits(env.LIMITS_FILE, routes.all)
  const bus = createBus({ redis, name: 'platform', instance, log })
  resources.defer(() => bus.close())
  metrics.observe(busFigures(bus))
  const database = await openDatabase({
    env,
    name: instance,
    log,
    observeQuery: traces && traceQuery,
  })
  resources.defer(() => database.close())
  metrics.observe(databaseFigures(database, createHistogram))
  const { AUTH_SECRET: secret, AUTH_SECRETS_ACCEPTED: acceptedSecrets = [] } = env
  const cookies = { secret, acceptedSecrets, ...cookieSiteOf(origin) }
  const sessions = createSessions({ database, bus, redis, ...cookies, log, trace: traces?.linked })
  resources.defer(() => sessions.close())
  if (sessions.cache) metrics.observe(cacheFigures(sessions.cache))
  metrics.observe(sessionFigures(sessions, createHistogram))
  const keys = createKeys({ bus, database, sessions, ipv6Prefix: env.IPV6_PREFIX, log })
  resources.defer(() => keys.close())
  metrics.observe(cacheFigures(keys.cache))
  // The sessions look for rows of the same bus twice a second, and send these rows too.
  const outbox = createOutbox({ bus, db: database.db, everyMs: 60_000, log, trace: traces?.linked })
  resources.defer(() => outbox.close())
  const settings = createFeatureSettings({ bus, outbox, database, log, metrics })
  const findProfile = createProfiles({ bus, database, metrics })
  const instances = createInstanceList({ bus, registry, metrics })
  const { GEO_FILE: path } = env
  const whoIs = path === undefined ? undefined : await createWhoIs({ path, bus, metrics, log })
  resources.defer(() => whoIs?.close())

  const limiterRedis = connectLimiterRedis({ ...redisTopology(env), name: instance, log })
  if (traces) limiterRedis.observed.times.observeBy(traceRedisCall)
  resources.defer(() => limiterRedis.close())
  metrics.observe(limiterRedisFigures(limiterRedis, createHistogram))
  const limiter = createRateLimiter({
    redis: limiterRedis,
    policies: file.limits.policies,
    bus,
    replicas: () => registry.count('gateway'),
    ipv6Prefix: env.IPV6_PREFIX,
  })
  resources.defer(() => limiter.close())
  metrics.observe(limiterFigures(limiter))
  const initial = file.limits
  const limits = await createPublishedLimits({
    limiter,
    bus,
    outbox,
    database,
    log,
    initial,
    routes: routes.all,
  })
  await limits.publish(file.text).catch((error: unknown) => {
    log.warn(
      { event: 'limits.unpublished', err: error },
      'the limits of the file are not in force yet',
    )
  })
  const stopFollowing = followLimits(env.LIMITS_FILE, limits, log)
  resources.defer(stopFollowing)

  const once = createGatewayOnce({ redis, routes: routes.all, leaseMs, log })
  resources.defer(() => once.close())
  metrics.observe(idempotencyFigures(once, createHistogram))

  const identity = { secret: env.INTERNAL_SECRET, version1: env.IDENTITY_VERSION_1 }
  const ca = env.UPSTREAM_CA_FILE ? await readFile(env.UPSTREAM_CA_FILE, 'utf8') : undefined
  const connections = new Map<string, Connection>()
  for (const { name, setting, access, receivesCountry } of services) {
    const toTargets = (value: readonly string[]) => targetsOf(value, { app: name, registry, log })
    const canary = canaryGroupOf(env.CANARIES, name, toTargets)
    const upstream = connectUpstream(name, toTargets(env[setting]), {
      ...upstreamOptionsOf(env.UPSTREAM_OPTIONS, name),
      ca,
      groups: canary,
      log,
    })
    metrics.observe(upstreamFigures(upstream))
    connections.set(name, {
      upstream,
      canOverride: canary.length > 0 ? env.CANARY_OVERRIDE === 'administrators' : undefined,
      identities: createIdentities({ ...identity, upstream: name }),
      // A service that checks sessions itself needs their cookies.
      cookies: access === 'open',
      country: receivesCountry,
    })
  }
  const cookieName = sessionCookieName(cookieSiteOf(origin))
  const site = { origin, cookieName, version: env.APP_VERSION }
  const appDeps = { sessions, keys, settings, findProfile, instances, limiter, limits, site, log }
  const app = createApp(appDeps)
  const securityHeaders = createSecurityHeaders(origin)
  // A store that is unavailable is used again by each request.
  await sessions.ready().catch((error: unknown) => {
    log.warn({ event: 'sessions.cold', err: error }, 'the caches of sessions are not subscribed')
  })

  const forwarders = createForwarders(connections, { instance, securityHeaders, log })
  const shedder = createLoadShedder({ limitMs: env.LOOP_DELAY_LIMIT_MS })
  metrics.observe(loadShedderFigures(shedder))
  const gateway = withLoadShedding(
    createGateway({
      routes,
      app: listenerOf(app),
      forwarderOf: forwarders.of,
      securityHeaders,
      cors: createCors({ origins: env.CORS_ORIGINS, trustedOrigins }),
      isCrossSite: createForgeryCheck({ origin, trustedOrigins }),
      sessions,
      keys,
      settings,
      limits,
      ipOf,
      whoIs,
      idempotency: createIdempotencyStage({ once, log }),
      hashUser: createUserHash(env.INTERNAL_SECRET),
      log,
    }),
    shedder,
  )

  return {
    listener: gateway,
    upgrade: createUpgrades(routes, gateway, forwarders.endWebSockets),
    checks: {
      database: database.ping,
      limits: () => limiterRedis.check(),
      bus: () => checkBus(bus),
      sessions: () => sessions.check(),
    },
    async idle() {
      while (once.stats().inFlight > 0) await wait(IDLE_EVERY_MS)
    },
    async close() {
      stopFollowing()
      whoIs?.close()
      await Promise.all(Array.from(connections.values(), ({ upstream }) => upstream.close()))
      // After the upstreams, whose requests in flight end attempts.
      await once.close()
      // Before the sessions, whose trust and clock the keys use.
      await keys.close()
      await Promise.all([sessions.close(), limiter.close()])
      await outbox.close()
      await Promise.all([limiterRedis.close(), bus.close()])
      await database.close()
    },
  }
}
