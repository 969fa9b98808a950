import {
  type apiKeys,
  type createdKey,
  newKey,
  type ResponseBody,
  type revocation,
} from '@repo/api'
import { ProblemError, readJson } from '@repo/service/hono'
import { Hono } from 'hono'
import { callerOf, notSignedIn, type RouteEnv } from '../caller.ts'
import { MAX_KEYS } from './key-table.ts'
import type { Keys } from './keys.ts'

/** Routes of the user's API keys: list, create and revoke them. An API key cannot use them. */
export function createKeyRoutes({
  keys,
}: {
  keys: Pick<Keys, 'list' | 'create' | 'revoke'>
}): Hono<RouteEnv> {
  const app = new Hono<RouteEnv>()

  app.get('/', async (c) => {
    const { user } = callerOf(c)
    const body = { keys: await keys.list(user.id) }
    return c.json(body satisfies ResponseBody<typeof apiKeys>)
  })

  app.post('/', async (c) => {
    const { user, session } = callerOf(c)
    const order = await readJson(c, newKey)
    const created = await keys.create({ userId: user.id, sessionId: session.id }, order)
    if (created.outcome === 'created') {
      const { text, key } = created
      return c.json({ text, key } satisfies ResponseBody<typeof createdKey>, 201)
    }
    if (created.outcome === 'signed-out')
      throw new ProblemError(notSignedIn({ outcome: 'revoked' }))
    const detail = `You have ${MAX_KEYS} API keys, which is the maximum. Revoke one to create another.`
    throw new ProblemError({ status: 409, code: 'too-many-keys', detail })
  })

  app.delete('/:id', async (c) => {
    const { user } = callerOf(c)
    const ended = await keys.revoke(user.id, c.req.param('id'))
    if (ended.outcome === 'not-found') {
      const detail = 'You have no such API key.'
      throw new ProblemError({ status: 404, code: 'not-found', detail })
    }
    return c.json(ended satisfies ResponseBody<typeof revocation>)
  })

  return app
}
