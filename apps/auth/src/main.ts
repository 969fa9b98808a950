import { isDatabaseUnavailable } from '@repo/database'
import { boot, readEnv } from '@repo/service'
import { authSettings } from './env.ts'
import { start } from './start.ts'

const env = readEnv(authSettings)
await boot({
  app: 'auth',
  settings: authSettings,
  env,
  start: (context) => start(env, context),
  isUnavailable: isDatabaseUnavailable,
  isBehindGateway: true,
})
