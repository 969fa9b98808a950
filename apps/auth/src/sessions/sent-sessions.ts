import { ProblemError, unavailable } from '@repo/service/hono'
import {
  chosenCookies,
  type CookieOptions,
  removedCookies,
  sessionCookieHeader,
  SessionError,
  type Sessions,
  sentTokens,
} from '@repo/session'

/** The endpoints that end every session of the request. */
const REPLACING = /^\/api\/auth\/sign-(?:in\/|up\/|out$)/

const TOO_MANY =
  'The request has too many session cookies. Remove the cookies of this site in the browser.'

/**
 * Handles the session cookies of a request like the gateway: at most one cookie counts. A sign-in
 * and a sign-out end every session whose cookie was sent, in any number and spelling, and remove
 * these cookies.
 */
export function createSentSessions({
  sessions,
  cookies,
}: {
  sessions: Pick<Sessions, 'validate' | 'revoke'>
  cookies: CookieOptions
}) {
  async function check(header: string | undefined): Promise<string | undefined> {
    const found = await sessions.validate(header)
    // The request needs the unavailable store again, and does not wait for it twice.
    if (found.outcome === 'unavailable') throw new ProblemError(unavailable)
    return found.outcome === 'valid' ? found.session.id : undefined
  }

  /** @throws ProblemError 400 for more session cookies than a browser has */
  function tokensOf(header: string): string[] {
    try {
      return sentTokens(header, cookies)
    } catch (error) {
      if (error instanceof SessionError && error.code === 'too-many-cookies') {
        throw new ProblemError({ status: 400, code: error.code, detail: TOO_MANY })
      }
      throw error
    }
  }

  return {
    /**
     * Returns the ids of the sessions that the request replaces.
     * @throws ProblemError 503 if no store can check a session, 400 for too many session cookies
     */
    async find(request: Request): Promise<string[]> {
      if (!REPLACING.test(new URL(request.url).pathname)) return []
      const header = request.headers.get('cookie') ?? undefined
      const chosen = await check(header)
      const tokens = tokensOf(header ?? '')
      if (chosen !== undefined && tokens.length === 1) return [chosen]
      const ids = await Promise.all(
        tokens.map((token) => check(sessionCookieHeader(token, cookies))),
      )
      return ids.filter((id) => id !== undefined)
    },

    /** Ends them, and removes their cookies in the response. */
    async end(request: Request, ids: readonly string[], response: Response): Promise<void> {
      const { pathname, hostname } = new URL(request.url)
      if (!REPLACING.test(pathname)) return
      // A sign-out while impersonating also signs the administrator out.
      const withSource = pathname.endsWith('/sign-out')
      for (const sessionId of new Set(ids)) await sessions.revoke({ sessionId, withSource })
      const issued = response.headers.getSetCookie()
      const removed = removedCookies(request.headers.get('cookie') ?? '', cookies, hostname)
      response.headers.delete('set-cookie')
      // Browsers use the last line of a name, which is that of Better Auth.
      for (const line of [...removed, ...issued]) response.headers.append('set-cookie', line)
    },
  }
}

/** The request for Better Auth: with the session cookie that counts, or without one. */
export function withChosenCookies(request: Request, cookies: CookieOptions): Request {
  const given = request.headers.get('cookie')
  if (given === null) return request
  const chosen = chosenCookies(given, cookies)
  if (chosen === given) return request
  const { method, url, body, signal } = request
  const headers = new Headers(request.headers)
  if (chosen === '') headers.delete('cookie')
  else headers.set('cookie', chosen)
  return new Request(url, { method, headers, body, signal, duplex: 'half' })
}
