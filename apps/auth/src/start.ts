import { openDatabase } from '@repo/database'
import type { Context, Started } from '@repo/service'
import { listenerOf } from '@repo/service/hono'
import { createApp } from './app.ts'
import { createAuth } from './auth.ts'
import type { AuthEnv } from './env.ts'

export async function start(env: AuthEnv, { instance, log }: Context): Promise<Started> {
  const database = await openDatabase({ env, name: instance, log })
  const auth = createAuth({ db: database.db, log, origin: env.ORIGIN, secret: env.AUTH_SECRET })
  // Reads its options and plugins now, not in the first request.
  await auth.$context
  return {
    listener: listenerOf(createApp({ auth, log })),
    checks: { database: database.ping },
    close: database.close,
  }
}
