import { isDatabaseUnavailable } from '@repo/database'
import { type Log, createProblem } from '@repo/service'
import { createHono, problemResponse, unavailable } from '@repo/service/hono'
import type { Hono } from 'hono'
import type { Auth } from './auth.ts'

export interface AppDeps {
  auth: Pick<Auth, 'handler'>
  log: Log
  /** Throws while the database is away. */
  ping: () => Promise<void>
}

export function createApp({ auth, log, ping }: AppDeps): Hono {
  const app = createHono({ log, isUnavailable: isDatabaseUnavailable })
  app.on(['GET', 'POST'], '/api/auth/*', async (c) => {
    const response = await auth.handler(c.req.raw)
    if (response.status < 400) return response
    if (response.status >= 500) {
      // Better Auth says 500 whatever the cause; callers must know whether to come again.
      const away = await ping().then(
        () => false,
        () => true,
      )
      if (away) return problemResponse(unavailable)
    }
    return asProblem(response)
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
  const problem = { ...createProblem({ status: response.status, detail }), ...own }
  return new Response(JSON.stringify(problem), { status: response.status, headers })
}
