import {
  blockRequest,
  type limits as limitsResponse,
  limitSubject,
  type ResponseBody,
} from '@repo/api'
import { RateLimitError, type RateLimiter, type Subject } from '@repo/ratelimit'
import { ProblemError, readJson } from '@repo/service/hono'
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import { administratorOf, type RouteEnv } from '../caller.ts'
import { writeLimits } from './limits.ts'
import type { PublishedLimits } from './published-limits.ts'

/** Routes of limits for administrators: read them and their decisions, change them, block keys. */
export function createLimitRoutes({
  limiter,
  limits,
}: {
  limiter: Pick<RateLimiter, 'report' | 'block' | 'reset'>
  limits: Pick<PublishedLimits, 'current' | 'set'>
}): Hono<RouteEnv> {
  const app = new Hono<RouteEnv>()

  /** A key by its value, such as a user id, or a hash from the report, which begins with `#`. */
  function subjectOf(policy: string, id: string): Subject {
    const by = limits.current().policies.find(({ name }) => name === policy)?.by ?? []
    const [only, ...others] = by
    return only === undefined || others.length > 0 || id.startsWith('#') ? id : { [only]: id }
  }

  app.get('/', async (c) => {
    administratorOf(c)
    const minutes = z.coerce.number().int().min(1).max(60).catch(5).parse(c.req.query('minutes'))
    const activity = { minutes, ...(await limiter.report({ minutes, top: 20 })) }
    const body = { limits: writeLimits(limits.current()), activity }
    return c.json(body satisfies ResponseBody<typeof limitsResponse>)
  })

  app.put('/', async (c) => {
    const { user } = administratorOf(c)
    const set = await limits.set(await readJson(c, z.unknown()), user.id)
    if (set.outcome === 'set') {
      return c.json({ limits: writeLimits(limits.current()), delivery: set.delivery })
    }
    const errors = set.faults.map((message) => ({ field: 'limits', message }))
    const detail = 'The limits are invalid, so the old limits stay in force.'
    throw new ProblemError({ status: 422, code: 'invalid-limits', detail, errors })
  })

  app.post('/blocks', async (c) => {
    administratorOf(c)
    const { policy, id, forMs } = await readJson(c, blockRequest)
    await refuseUnknownPolicy(() => limiter.block([policy], subjectOf(policy, id), forMs))
    return c.json({ policy, id, forMs })
  })

  // The count of the key is deleted too.
  app.delete('/blocks', async (c) => {
    administratorOf(c)
    const { policy, id } = await readSubject(c)
    await refuseUnknownPolicy(() => limiter.reset([policy], subjectOf(policy, id)))
    return c.json({ policy, id })
  })

  return app
}

/** From the query, because proxies drop the body of a DELETE. */
async function readSubject(c: Context) {
  const parsed = limitSubject.safeParse(c.req.query())
  if (parsed.success) return parsed.data
  const detail = 'The query must have policy and id.'
  throw new ProblemError({ status: 422, code: 'invalid-query', detail })
}

async function refuseUnknownPolicy(call: () => Promise<void>): Promise<void> {
  try {
    await call()
  } catch (error) {
    if (!(error instanceof RateLimitError) || error.code !== 'unknown-policy') throw error
    throw new ProblemError({ status: 422, code: 'unknown-policy', detail: error.message })
  }
}
