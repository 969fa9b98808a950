import {
  type payment,
  paymentOrder,
  type payments as paymentList,
  type ResponseBody,
} from '@repo/api'
import { isDatabaseUnavailable } from '@repo/database'
import type { Log } from '@repo/observability'
import type { RateLimiter } from '@repo/ratelimit'
import { rateLimit } from '@repo/ratelimit/hono'
import { type Identities, problemInstance } from '@repo/service'
import { createHono, problemResponse, readJson } from '@repo/service/hono'
import { createSignedCaller } from '@repo/service/signed-caller'
import type { Hono } from 'hono'
import { z } from 'zod'
import { AT_ONCE } from './limits.ts'
import type { Payments } from './payments.ts'

export interface AppDeps {
  payments: Payments
  identities: Identities
  /** With `paymentPolicies`. */
  limiter: RateLimiter
  log: Log
}

export function createApp({ payments, identities, limiter, log }: AppDeps): Hono {
  const app = createHono({ log, isUnavailable: isDatabaseUnavailable })

  const caller = createSignedCaller({ app, identities, log })

  app.get('/api/payments', async (c) => {
    const body = { payments: await payments.list(caller(c).userId) }
    return c.json(body satisfies ResponseBody<typeof paymentList>)
  })

  const atOnce = rateLimit({
    limiter,
    policies: [AT_ONCE],
    problemInstance,
    dimensions: (c) => ({ payer: caller(c).userId }),
  })

  app.post('/api/payments', atOnce, async (c) => {
    const { userId } = caller(c)
    const created = await payments.create(userId, await readJson(c, paymentOrder))
    payments.announce()
    return c.json(created satisfies ResponseBody<typeof payment>, 201, {
      location: `/api/payments/${created.id}`,
    })
  })

  app.get('/api/payments/:id', async (c) => {
    const { userId } = caller(c)
    const id = z.uuid().safeParse(c.req.param('id'))
    const found = id.success ? await payments.find(userId, id.data) : undefined
    if (found) return c.json(found satisfies ResponseBody<typeof payment>)
    return problemResponse({ status: 404, code: 'not-found', detail: 'There is no such payment.' })
  })

  return app
}
