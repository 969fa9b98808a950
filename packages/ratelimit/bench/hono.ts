import { Hono, type MiddlewareHandler } from 'hono'
import type { Redis } from 'ioredis'
import { rateLimit } from '../src/hono.ts'
import type { Dimensions, RateLimiter } from '../src/index.ts'
import { measure } from './measure.ts'
import type { CountOne } from './peers.ts'

function serve(name: string, middleware?: MiddlewareHandler) {
  const app = new Hono()
  if (middleware) app.use(middleware)
  app.get('/', (c) => c.text('fine'))
  return { name, check: async () => (await app.request('/')).text() }
}

/** The CPU that a limiter of four dimensions adds to a request of Hono, 64 in flight. */
export async function measureHono({
  limiter,
  names,
  of,
  flexible,
  redis,
}: {
  limiter: RateLimiter
  names: string[]
  of: (i: number) => Dimensions
  flexible: CountOne | undefined
  redis: Redis
}) {
  let requests = 0
  const next = () => of((requests += 1))

  const contenders = [
    serve('none'),
    serve('ours', rateLimit({ limiter, policies: names, dimensions: next })),
    serve('rate-limiter-flexible', async (_, go) => {
      const values = Object.values(next())
      await Promise.all(values.map(async (value, d) => flexible?.(names[d] ?? '', value ?? '')))
      await go()
    }),
  ]
  const costs = await measure(contenders, { redis, width: 64 })
  const none = costs.get('none')?.clientUs ?? Number.NaN
  const added = (name: string) => (costs.get(name)?.clientUs ?? Number.NaN) - none
  return {
    table: [...costs].map(([name, { clientUs }]) => ({
      'Hono with': name,
      'CPU µs per request': clientUs.toFixed(1),
      'of the limiter': (clientUs - none).toFixed(1),
    })),
    share: added('ours') / added('rate-limiter-flexible'),
  }
}
