import { type Database, schema } from '@repo/database'
import type { GenericEndpointContext } from 'better-auth'
import { expireCookie } from 'better-auth/cookies'
import { eq, inArray } from 'drizzle-orm'

/**
 * Better Auth's cookie with the administrator's own session, while the administrator impersonates.
 */
const SOURCE_COOKIE = 'admin_session'

/** Signing out while impersonating signs the administrator out too. */
export function createImpersonation(db: Database) {
  const { session } = schema

  return {
    /** Ends the administrator's session; the database also ends all sessions that depend on it. */
    async endSource({ context, getSignedCookie }: GenericEndpointContext): Promise<void> {
      const { authCookies, secret } = context
      const token = await getSignedCookie(authCookies.sessionToken.name, secret)
      if (!token) return
      const source = db
        .select({ id: session.sourceSessionId })
        .from(session)
        .where(eq(session.token, token))
      await db.delete(session).where(inArray(session.id, source))
    },
    expireSourceCookie(ctx: GenericEndpointContext): void {
      const cookie = ctx.context.createAuthCookie(SOURCE_COOKIE)
      if (ctx.getCookie(cookie.name) !== null) expireCookie(ctx, cookie)
    },
  }
}
