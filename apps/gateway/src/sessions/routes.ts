import type { ResponseBody, revocation, sessions as sessionList } from '@repo/api'
import { ProblemError } from '@repo/service/hono'
import type { Sessions } from '@repo/session'
import { Hono } from 'hono'
import { callerOf, type RouteEnv } from '../caller.ts'

// PostgreSQL refuses other text, such as a NUL, with an error.
const SESSION_ID = /^[\w-]{1,128}$/

/** The most sessions in one response. */
const LISTED = 100

/** Routes of the user's own sessions: list them and end them. */
export function createSessionRoutes({
  sessions,
}: {
  sessions: Pick<Sessions, 'list' | 'revoke'>
}): Hono<RouteEnv> {
  const app = new Hono<RouteEnv>()

  app.get('/', async (c) => {
    const { user, session } = callerOf(c)
    const devices = await sessions.list(user.id, { limit: LISTED + 1, first: session.id })
    const listed = devices.slice(0, LISTED)
    const body = {
      sessions: listed.map((device) => ({ ...device, current: device.id === session.id })),
      more: devices.length > LISTED,
    }
    return c.json(body satisfies ResponseBody<typeof sessionList>)
  })

  // The current session stays: a sign-out ends it.
  app.delete('/', async (c) => {
    const { user, session } = callerOf(c)
    const target = { userId: user.id, except: session.id }
    const ended = await sessions.revoke(target, { confirm: 'all' })
    return c.json(ended satisfies ResponseBody<typeof revocation>)
  })

  app.delete('/:id', async (c) => {
    const { user } = callerOf(c)
    const sessionId = c.req.param('id')
    if (SESSION_ID.test(sessionId)) {
      const target = { sessionId, of: user.id }
      const ended = await sessions.revoke(target, { confirm: 'all' })
      if (ended.revoked > 0) return c.json(ended satisfies ResponseBody<typeof revocation>)
    }
    const detail = 'You have no such session.'
    throw new ProblemError({ status: 404, code: 'not-found', detail })
  })

  return app
}
