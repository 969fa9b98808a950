import { baseSettings, boot, readEnv } from '@repo/service'
import { webSettings } from './env.ts'
import { createApp } from './server.ts'

const settings = { ...baseSettings, ...webSettings }
const env = readEnv(settings)
await boot({
  app: 'web',
  settings,
  env,
  start: () => createApp({ instanceId: env.INSTANCE_ID, port: env.PORT }),
})
