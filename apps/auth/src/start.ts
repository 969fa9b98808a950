import { busFigures, cacheFigures, checkBus, createBus } from '@repo/cache-broadcast'
import { databaseFigures, openDatabase } from '@repo/database'
import { createHistogram, traceQuery, traceRedisCall } from '@repo/observability'
import {
  connectLimiterRedis,
  createRateLimiter,
  limiterFigures,
  limiterRedisFigures,
} from '@repo/ratelimit'
import { type Context, redisTopology, type Started } from '@repo/service'
import { listenerOf } from '@repo/service/hono'
import { applySessionLimit, cookieSiteOf, createSessions, sessionFigures } from '@repo/session'
import { createApp } from './app.ts'
import { createAuth } from './auth.ts'
import type { AuthEnv } from './env.ts'
import { authPolicies } from './passwords/limits.ts'

export async function start(env: AuthEnv, context: Context): Promise<Started> {
  const { instance, log, redis, registry, metrics, traces, resources } = context
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
  const { AUTH_SECRET: secret, AUTH_SECRETS_ACCEPTED: acceptedSecrets = [], ORIGIN: origin } = env
  const cookies = { secret, acceptedSecrets, ...cookieSiteOf(origin) }
  const sessions = createSessions({ database, bus, redis, ...cookies, log, trace: traces?.linked })
  resources.defer(() => sessions.close())
  if (sessions.cache) metrics.observe(cacheFigures(sessions.cache))
  metrics.observe(sessionFigures(sessions, createHistogram))
  const { MAX_SESSIONS: max, MAX_SESSIONS_EXCEEDED: onExceeded } = env
  const limit = max === undefined ? undefined : { max, onExceeded }
  const stopApplying = await applySessionLimit({ database, limit, log })
  resources.defer(stopApplying)
  const limiterRedis = connectLimiterRedis({ ...redisTopology(env), name: instance, log })
  if (traces) limiterRedis.observed.times.observeBy(traceRedisCall)
  resources.defer(() => limiterRedis.close())
  metrics.observe(limiterRedisFigures(limiterRedis, createHistogram))
  const limiter = createRateLimiter({
    redis: limiterRedis,
    policies: authPolicies,
    bus,
    replicas: () => registry.count('auth'),
  })
  resources.defer(() => limiter.close())
  metrics.observe(limiterFigures(limiter))
  const onLogin = () => sessions.noteLogin()
  const { TRUSTED_ORIGINS: trustedOrigins } = env
  const { db } = database
  const auth = createAuth({ db, log, origin, trustedOrigins, secret, onLogin, limiter })
  // Reads its options and plugins now, not in the first request.
  await auth.$context
  // A store that is unavailable is used again by each request.
  await sessions.ready().catch((error: unknown) => {
    log.warn({ event: 'sessions.cold', err: error }, 'the caches of sessions are not subscribed')
  })
  return {
    listener: listenerOf(createApp({ auth, sessions, cookies, log })),
    checks: {
      database: database.ping,
      limits: () => limiterRedis.check(),
      bus: () => checkBus(bus),
      sessions: () => sessions.check(),
    },
    async close() {
      stopApplying()
      await Promise.all([sessions.close(), limiter.close()])
      await Promise.all([limiterRedis.close(), bus.close()])
      await database.close()
    },
  }
}
