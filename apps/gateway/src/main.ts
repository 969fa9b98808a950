import { boot, readEnv } from '@repo/service'
import { gatewaySettings } from './env.ts'
import { start } from './start.ts'

const env = readEnv(gatewaySettings)
await boot({
  app: 'gateway',
  settings: gatewaySettings,
  env,
  start: (context) => start(env, context),
})
