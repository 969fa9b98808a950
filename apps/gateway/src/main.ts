import { boot, readEnv } from '@repo/service'
import { gatewaySettings } from './env.ts'
import { start } from './start.ts'
import { isUnavailable } from './unavailable.ts'

const env = readEnv(gatewaySettings)
await boot({
  app: 'gateway',
  settings: gatewaySettings,
  env,
  start: (context) => start(env, context),
  isUnavailable,
  // With twelve targets of each upstream, fewer than 900 series.
  maxCombinations: 23,
})
