import { busFigures, checkBus, createBus } from '@repo/cache-broadcast'
import { databaseFigures, openDatabase } from '@repo/database'
import { idempotencyFigures } from '@repo/idempotency'
import { createSweeper, postgresStore } from '@repo/idempotency/postgres'
import { createHistogram, traceQuery, traceRedisCall } from '@repo/observability'
import {
  connectLimiterRedis,
  createRateLimiter,
  limiterFigures,
  limiterRedisFigures,
} from '@repo/ratelimit'
import { type Context, createIdentities, redisTopology, type Started } from '@repo/service'
import { listenerOf } from '@repo/service/hono'
import { createApp } from './app.ts'
import { type PaymentsEnv, webhookReceiver } from './env.ts'
import { paymentPolicies } from './limits.ts'
import { createPaymentsOnce } from './once.ts'
import { createPayments } from './payments.ts'
import { createDeliveries, deliveryFigures } from './webhooks/deliveries.ts'

export async function start(env: PaymentsEnv, context: Context): Promise<Started> {
  const { instance, log, redis, registry, metrics, traces, resources } = context
  const database = await openDatabase({
    env,
    name: instance,
    log,
    observeQuery: traces && traceQuery,
  })
  resources.defer(() => database.close())
  metrics.observe(databaseFigures(database, createHistogram))
  const deliveries = createDeliveries({ db: database.db, receiver: webhookReceiver(env), log })
  resources.defer(() => deliveries.close())
  metrics.observe(deliveryFigures(deliveries))
  const payments = createPayments({ db: database.db, deliveries })
  const store = postgresStore({ db: database.db, claim: 'lock' })
  const once = createPaymentsOnce({ store, log })
  resources.defer(() => once.close())
  metrics.observe(idempotencyFigures(once, createHistogram))
  const sweeper = createSweeper({ store, log })
  resources.defer(() => sweeper.close())
  const { INTERNAL_SECRET: secret, INTERNAL_SECRETS_ACCEPTED: acceptedSecrets = [] } = env
  const identities = createIdentities({
    secret,
    acceptedSecrets,
    upstream: 'payments',
    version1: env.IDENTITY_VERSION_1,
  })
  const bus = createBus({ redis, name: 'platform', instance, log })
  resources.defer(() => bus.close())
  const limiterRedis = connectLimiterRedis({ ...redisTopology(env), name: instance, log })
  if (traces) limiterRedis.observed.times.observeBy(traceRedisCall)
  resources.defer(() => limiterRedis.close())
  metrics.observe(limiterRedisFigures(limiterRedis, createHistogram))
  const limiter = createRateLimiter({
    redis: limiterRedis,
    policies: paymentPolicies,
    bus,
    replicas: () => registry.count('payments'),
  })
  resources.defer(() => limiter.close())
  metrics.observe([...busFigures(bus), ...limiterFigures(limiter)])
  // A store that is unavailable is used again by each request.
  await bus.ready().catch((error: unknown) => {
    log.warn({ event: 'bus.cold', err: error }, 'the bus is not joined')
  })
  return {
    listener: listenerOf(createApp({ payments, once, identities, limiter, log })),
    checks: {
      database: database.ping,
      limits: () => limiterRedis.check(),
      bus: () => checkBus(bus),
    },
    async close() {
      await Promise.all([limiter.close(), once.close()])
      await Promise.all([limiterRedis.close(), bus.close(), deliveries.close(), sweeper.close()])
      await database.close()
    },
  }
}
