import type { Duplex } from 'node:stream'
import { serveReplica } from '@repo/testing/replica'
import { z } from 'zod'
import { createHono, listenerOf } from './http/hono.ts'
import { acceptUpgrade, RESTART } from './http/upgrade.fixture.ts'
import { boot } from './lifecycle/boot.ts'
import { readEnv } from './settings/env.ts'
import { baseSettings, secret } from './settings/settings.ts'

/** An app without a purpose of its domain. The tests open its gates. */
const settings = {
  ...baseSettings,
  MODE: z
    .string()
    .default('one')
    .meta({ description: 'a setting that must not drift', shared: true }),
  APP: z.string().default('fixture').meta({ description: 'name of the app' }),
  SECRET: secret('a secret'),
  START: z
    .enum(['at once', 'when released', 'never', 'third time'])
    .default('at once')
    .meta({ description: 'when start() ends' }),
  CLOSE: z.enum(['at once', 'never']).default('at once').meta({ description: 'when close() ends' }),
}

const gates = { start: Promise.withResolvers<void>(), slow: Promise.withResolvers<void>() }
let slow = 0
let starts = 0

function fail(message: string, code?: string) {
  throw Object.assign(new Error(message), code && { code })
}

const env = readEnv(settings)
serveReplica({
  release: async (gate: keyof typeof gates) => gates[gate].resolve(),
  slow: async () => slow,
  // Outside of a request, in a callback that nothing awaits.
  crash: async () => void setImmediate(() => fail('out of nowhere')),
  reject: async () => void Promise.reject(new Error('rejected in the background')),
  lose: async (code: string) => void setImmediate(() => fail(`lost: ${code}`, code)),
  print: async (text: string) => console.error(text, { in: 'a library' }),
})

await boot({
  app: env.APP,
  settings,
  env,
  isUnavailable: (error) => error instanceof Error && error.message === 'terminating connection',
  async start({ registry, redis, log, resources, metrics }) {
    starts += 1
    const name = 'threefold_fixture_total'
    metrics.observe([{ name, help: 'One of each start', kind: 'counter', read: () => 1 }])
    resources.defer(() => log.info({ event: 'released', starts }, 'released'))
    if (env.START === 'third time' && starts < 3) fail('terminating connection', '57P01')
    if (env.START === 'never') throw new Error('wrapped', { cause: new Error('no such table') })
    if (env.START === 'when released') await gates.start.promise
    const app = createHono({ log })
    app.get('/hello', (c) => c.text('hello'))
    app.get('/instances', async (c) => c.json(await registry.instances()))
    app.get('/announce', async (c) => {
      await registry.announce()
      return c.text('announced')
    })
    app.get('/wrong', async (c) => {
      await redis.call((client) => client.eval('return missing', 0))
      return c.text('never')
    })
    app.get('/slow', async (c) => {
      slow += 1
      await gates.slow.promise
      return c.text('slow')
    })
    app.get('/crash', () => {
      setImmediate(() => fail('in a callback of a request'))
      return new Promise(() => undefined)
    })
    const upgraded = new Set<Duplex>()
    return {
      listener: listenerOf(app),
      upgrade: {
        accepts: ({ url }) => url === '/ws',
        serve(req, res, socket) {
          upgraded.add(socket)
          acceptUpgrade(req, res, socket)
        },
        end() {
          for (const socket of upgraded) socket.end(RESTART)
        },
      },
      async close() {
        if (env.CLOSE === 'never') await new Promise(() => undefined)
        log.info({ event: 'closed' }, 'closed')
      },
    }
  },
})
