import { isDatabaseUnavailable } from '@repo/database'
import { createProblem, type Log } from '@repo/service'
import { createHono } from '@repo/service/hono'
import type { Hono } from 'hono'
import type { Auth } from './auth.ts'
import { orOutage } from './outage.ts'

export interface AppDeps {
  auth: Pick<Auth, 'handler'>
  log: Log
}

export function createApp({ auth, log }: AppDeps): Hono {
  const app = createHono({ log, isUnavailable: isDatabaseUnavailable })
  app.on(['GET', 'POST'], '/api/auth/*', async (c) => {
    const response = await orOutage(() => auth.handler(c.req.raw))
    return response.status < 400 ? response : asProblem(response)
  })
  return app
}

/** A Better Auth error as a problem document; its own `code` and `message` stay, for its clients. */
async function asProblem(response: Response): Promise<Response> {
  const headers = new Headers(response.headers)
  const body: unknown = await response.json().catch(() => ({}))
  const own = typeof body === 'object' && body !== null ? body : {}
  const detail = 'message' in own ? String(own.message) : 'The request was refused.'
  headers.set('content-type', 'application/problem+json')
  headers.delete('content-length')
  const problem = { ...own, ...createProblem({ status: response.status, detail }) }
  return new Response(JSON.stringify(problem), { status: response.status, headers })
}
