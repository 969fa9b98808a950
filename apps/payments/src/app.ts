import {
  type payment,
  paymentOrder,
  type payments as paymentList,
  type ResponseBody,
} from '@repo/api'
import { isDatabaseUnavailable } from '@repo/database'
import type { Once } from '@repo/idempotency'
import { idempotency, type OptionalIdempotencyEnv } from '@repo/idempotency/hono'
import type { Log } from '@repo/observability'
import type { RateLimiter } from '@repo/ratelimit'
import { rateLimit } from '@repo/ratelimit/hono'
import { type Identities, problemInstance } from '@repo/service'
import { createHono, problemResponse, readJson } from '@repo/service/hono'
import { createSignedCaller } from '@repo/service/signed-caller'
import type { Hono } from 'hono'
import { z } from 'zod'
import { AT_ONCE } from './limits.ts'
import type { Payment, Payments } from './payments.ts'

export interface AppDeps {
  payments: Payments
  /** Commits the key of a request with its payment. */
  once: Once
  identities: Identities
  /** With `paymentPolicies`. */
  limiter: RateLimiter
  log: Log
}

export function createApp(deps: AppDeps): Hono<OptionalIdempotencyEnv> {
  const { payments, once, identities, limiter, log } = deps
  const app = createHono<OptionalIdempotencyEnv>({ log, isUnavailable: isDatabaseUnavailable })

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

  const byKey = idempotency({
    once,
    scope: (c) => caller(c).userId,
    required: false,
    toResponse: problemResponse,
  })

  app.post('/api/payments', atOnce, byKey, async (c) => {
    const { userId } = caller(c)
    const order = await readJson(c, paymentOrder)
    const { attempt } = c.var
    const response = attempt
      ? await attempt.transaction(async (tx) => {
          const key = attempt.downstreamKey('payment.made')
          return madeResponse(await payments.add(tx, userId, order, key))
        })
      : madeResponse(await payments.create(userId, order))
    payments.announce()
    return response
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

function madeResponse(made: Payment): Response {
  const headers = { location: `/api/payments/${made.id}` }
  return Response.json(made satisfies ResponseBody<typeof payment>, { status: 201, headers })
}
