import { baseSettings, boot, readEnv } from '@repo/service'
import { webSettings } from './env.ts'
import { start } from './start.ts'

const settings = { ...baseSettings, ...webSettings }
const env = readEnv(settings)
await boot({ app: 'web', settings, env, start: (context) => start(env, context) })
