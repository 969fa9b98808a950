import { baseSettings, boot, readEnv, traceEntrySettings } from '@repo/service'
import { webSettings } from './env.ts'
import { start } from './start.ts'

const settings = { ...baseSettings, ...traceEntrySettings, ...webSettings }
const env = readEnv(settings)
await boot({ app: 'web', settings, env, start: (context) => start(env, context) })
