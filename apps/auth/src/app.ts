import { isDatabaseUnavailable } from '@repo/database'
import { type Log, noteRoute } from '@repo/observability'
import { createProblem, isRefusedToActors, type ProblemOptions } from '@repo/service'
import { createHono, ProblemError } from '@repo/service/hono'
import {
  type CookieOptions,
  type SessionRefusal,
  type Sessions,
  sessionRefusal,
} from '@repo/session'
import type { Hono } from 'hono'
import pLimit from 'p-limit'
import { withCredentials } from './adapter/credentials.ts'
import { orOutage } from './adapter/outages.ts'
import type { Auth } from './auth.ts'
import { checkInput } from './input/check-input.ts'
import { findEndpoint } from './input/endpoints.ts'
import { createDeviceCookies } from './passwords/device-cookie.ts'
import { withPasswordUse } from './passwords/guesses.ts'
import { HASHED_AT_ONCE } from './passwords/hashing.ts'
import { passwordUseOf } from './passwords/password-use.ts'
import { createSentSessions, withChosenCookies } from './sessions/sent-sessions.ts'
import { describeSettlement, SETTLEMENT_HEADER } from './sessions/settlement.ts'

export interface AppDeps {
  auth: Pick<Auth, 'handler'>
  sessions: Pick<Sessions, 'validate' | 'revoke' | 'settle'>
  cookies: CookieOptions
  log: Log
}

/** The problems for a session or a password that the database refuses. */
const REFUSED: Record<SessionRefusal, ProblemOptions> = {
  banned: { status: 403, code: 'banned', detail: 'This account has been banned.' },
  limit: {
    status: 403,
    code: 'too-many-sessions',
    detail: 'You are signed in on the maximum number of devices. Sign out on one of them first.',
  },
  'credentials-changed': {
    status: 401,
    code: 'signed-out',
    detail: 'Your credentials have changed. Sign in to continue.',
  },
  'impersonator-ended': {
    status: 403,
    code: 'administrators-only',
    detail: 'Only a signed-in administrator can act for another user.',
  },
  'last-administrator': {
    status: 409,
    code: 'last-administrator',
    detail:
      'The last administrator cannot be demoted, banned or removed. Appoint another one first.',
  },
  other: { status: 403, code: 'refused', detail: 'The database refuses this change.' },
}

/** Better Auth's response to a wrong password. */
const WRONG_PASSWORD = { code: 'INVALID_EMAIL_OR_PASSWORD', message: 'Invalid email or password' }

const BASE = '/api/auth'
const SIGNING_IN = /^\/api\/auth\/sign-(in|up)\//

export function createApp({ auth, sessions, cookies, log }: AppDeps): Hono {
  const devices = createDeviceCookies(cookies)
  // Better Auth hashes a new password in its transaction, which holds a database connection.
  const signUps = pLimit(HASHED_AT_ONCE)
  const sent = createSentSessions({ sessions, cookies })
  const app = createHono({ log, isUnavailable: isDatabaseUnavailable })

  app.on(['GET', 'POST'], `${BASE}/*`, async (c) => {
    const { method } = c.req.raw
    const endpoint = findEndpoint(method, c.req.path.slice(BASE.length))
    if (!endpoint) return c.notFound()
    // Its path is a template: no endpoint has parameters. The route of other paths is `/api/auth/*`.
    noteRoute(c.req.path)
    if (method === 'GET') return serve((await checkInput(c, endpoint)).request)
    const isSigningIn = SIGNING_IN.test(c.req.path)
    const former = await sent.find(c.req.raw)
    const { request, input } = await checkInput(c, endpoint)
    const use = await passwordUseOf(endpoint, input, request.headers, { sessions, devices })
    const serveUse = () => (use ? withPasswordUse(use, () => serve(request)) : serve(request))
    const isSignUp = endpoint.password === 'new'
    const response = await (isSignUp ? signUps(serveUse) : serveUse())
    if (response.status >= 400) return response
    const passwordHash = use?.newHash ?? use?.verifiedHash
    if (endpoint.trustsDevice && use && passwordHash !== undefined) {
      const owner = { account: use.account, passwordHash }
      response.headers.append('set-cookie', devices.issue(c.req.header('cookie'), owner))
    }
    await sent.end(c.req.raw, former, response)
    // Every instance applies the sessions that Better Auth ended before the response is sent.
    const settlement = await sessions.settle(isSigningIn ? {} : { confirm: 'all' })
    response.headers.set(SETTLEMENT_HEADER, describeSettlement(settlement))
    return response
  })

  async function serve(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname
    try {
      const handle = () => auth.handler(withChosenCookies(request, cookies))
      const isRefused = isRefusedToActors(request.method, path)
      const response = await withCredentials(isRefused, () => orOutage(handle))
      return response.status < 400 ? response : await asProblem(response, path)
    } catch (error) {
      const refusal = sessionRefusal(error)
      if (refusal === 'credentials-changed' && SIGNING_IN.test(path)) {
        return asProblem(Response.json(WRONG_PASSWORD, { status: 401 }), path)
      }
      throw refusal ? new ProblemError(REFUSED[refusal]) : error
    }
  }

  return app
}

/** An error of Better Auth as a problem document with its `code` and `message`, for its clients. */
async function asProblem(response: Response, path: string): Promise<Response> {
  const headers = new Headers(response.headers)
  const body: unknown = await response.json().catch(() => ({}))
  const fields = typeof body === 'object' && body !== null ? body : {}
  const detail = 'message' in fields ? String(fields.message) : 'The request was refused.'
  headers.set('content-type', 'application/problem+json')
  headers.delete('content-length')
  const retryAfter = headers.get('x-retry-after')
  if (retryAfter) headers.set('retry-after', retryAfter)
  const isPassword = 'code' in fields && String(fields.code).startsWith('PASSWORD_TOO_')
  const field = SIGNING_IN.test(path) ? 'password' : 'newPassword'
  const errors = [{ field, message: detail }]
  const options = { status: response.status, detail, ...(isPassword && { errors }) }
  const problem = { ...fields, ...createProblem(options) }
  return new Response(JSON.stringify(problem), { status: response.status, headers })
}
