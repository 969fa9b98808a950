import { openDatabase } from '@repo/database'
import { type Context, createIdentities, type Started } from '@repo/service'
import { listenerOf } from '@repo/service/hono'
import { createApp } from './app.ts'
import type { PaymentsEnv } from './env.ts'
import { createPayments } from './payments.ts'

export async function start(env: PaymentsEnv, { instance, log }: Context): Promise<Started> {
  const database = await openDatabase({ env, name: instance, log })
  const payments = createPayments({ db: database.db })
  const identities = createIdentities({ secret: env.INTERNAL_SECRET })
  return {
    listener: listenerOf(createApp({ payments, identities, log })),
    checks: { database: database.ping },
    close: database.close,
  }
}
