import { type Endpoint, endpoints } from '@repo/api/endpoints'
import { boot, readEnv } from '@repo/service'
import { gatewaySettings } from '../env.ts'
import { start } from '../start.ts'
import { isUnavailable } from '../unavailable.ts'

/** Routes whose service does not commit the key with its work. */
const tierOne: Endpoint[] = [
  {
    method: 'POST',
    path: '/api/payments/tier-one',
    tag: 'test',
    summary: 'Run once by the gateway alone',
    auth: 'signed-in',
    responses: {},
    idempotency: 'required',
  },
]

const env = readEnv(gatewaySettings)
const leaseMs = Number(process.env['TEST_LEASE_MS'] ?? 15_000)
await boot({
  app: 'gateway',
  settings: gatewaySettings,
  env,
  start: (context) => start(env, context, { api: [...endpoints, ...tierOne], leaseMs }),
  isUnavailable,
})
