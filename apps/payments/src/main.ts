import { isDatabaseUnavailable } from '@repo/database'
import { boot, readEnv } from '@repo/service'
import { paymentsSettings } from './env.ts'
import { start } from './start.ts'

const env = readEnv(paymentsSettings)
await boot({
  app: 'payments',
  settings: paymentsSettings,
  env,
  start: (context) => start(env, context),
  isUnavailable: isDatabaseUnavailable,
  isBehindGateway: true,
})
