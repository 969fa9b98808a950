import {
  type payment,
  paymentOrder,
  type payments as paymentList,
  type ResponseBody,
} from '@repo/api'
import { isDatabaseUnavailable } from '@repo/database'
import { type Log, noteActor } from '@repo/observability'
import type { RateLimiter } from '@repo/ratelimit'
import { rateLimit } from '@repo/ratelimit/hono'
import {
  type Identities,
  type Identity,
  IDENTITY_HEADER,
  isRefusedToActors,
  problemInstance,
  refusedToActors,
} from '@repo/service'
import {
  createHono,
  ProblemError,
  problemResponse,
  readJson,
  unavailable,
} from '@repo/service/hono'
import type { Context, Hono } from 'hono'
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

  /**
   * @throws ProblemError 401 unless the gateway signed the identity; 403 for a write by an
   * administrator who acts for the payer; 503 for an identity in the form of another release
   */
  function caller(c: Context): Identity {
    const { pathname, search } = new URL(c.req.url)
    const request = { method: c.req.method, path: pathname + search }
    const check = identities.verify(c.req.header(IDENTITY_HEADER), request)
    if (check.outcome === 'valid') {
      const { userId, actor } = check.identity
      noteActor(actor, userId)
      if (actor && isRefusedToActors(c.req.method, pathname))
        throw new ProblemError(refusedToActors)
      return check.identity
    }
    if (check.outcome === 'unreadable') {
      log.warn({ event: 'identity.unreadable' }, 'the identity has the form of another release')
      throw new ProblemError(unavailable)
    }
    if (check.outcome === 'forged')
      log.warn({ event: 'identity.forged' }, 'an identity with a wrong signature is refused')
    throw new ProblemError({ status: 401, code: 'signed-out', detail: 'Sign in to continue.' })
  }

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
