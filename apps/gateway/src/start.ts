import { busFigures, createBus } from '@repo/cache-broadcast'
import { openDatabase } from '@repo/database'
import { type Context, createIdentities, type Started } from '@repo/service'
import { listenerOf } from '@repo/service/hono'
import { createSessions } from '@repo/session'
import { createApp } from './app.ts'
import type { GatewayEnv } from './env.ts'
import { createFeatureSettings } from './feature-settings.ts'
import { createForwarder, upstreamOf } from './forward.ts'
import { createGateway } from './gateway.ts'
import { createInstanceTable } from './instance-table.ts'
import { createProfiles } from './profiles.ts'

export async function start(env: GatewayEnv, context: Context): Promise<Started> {
  const { instance, log, redis, registry, metrics } = context
  const bus = createBus({ redis, name: 'platform', instance, log })
  metrics.observe(busFigures(bus))
  const database = await openDatabase({ env, name: instance, log })
  const secure = env.ORIGIN.startsWith('https:')
  const sessions = createSessions({ database, secret: env.AUTH_SECRET, secure })
  const settings = createFeatureSettings({ bus, database, log, metrics })
  const findProfile = createProfiles({ bus, database, metrics })
  const instances = createInstanceTable({ bus, registry, metrics })
  const identities = createIdentities({ secret: env.INTERNAL_SECRET })
  const auth = upstreamOf('auth', env.AUTH_URLS, log)
  const payments = upstreamOf('payments', env.PAYMENTS_URLS, log)
  const forwarder = { identities, instance, log, trustedHops: env.TRUSTED_HOPS }

  return {
    listener: createGateway({
      own: listenerOf(createApp({ sessions, settings, findProfile, instances, log })),
      auth: createForwarder({ ...forwarder, upstream: auth }),
      payments: createForwarder({ ...forwarder, upstream: payments }),
      sessions,
      settings,
    }),
    checks: { database: database.ping },
    async close() {
      await Promise.all([auth.close(), payments.close(), settings.close()])
      await bus.close()
      await database.close()
    },
  }
}
