import * as z from 'zod/mini'
import type { AuthEndpoint } from '../requests/auth.ts'
import { date } from './date.ts'
import { users } from './users.ts'

/** A user as the endpoints of `/api/auth` send it. */
export const authUser = z.object({
  id: z.string(),
  name: z.string(),
  email: z.string(),
  emailVerified: z.boolean(),
  image: z.optional(z.nullable(z.string())),
  createdAt: date,
  updatedAt: date,
  role: z.optional(z.nullable(z.string())),
  banned: z.optional(z.nullable(z.boolean())),
  banReason: z.optional(z.nullable(z.string())),
  banExpires: z.optional(z.nullable(date)),
})

/** A session as the endpoints of `/api/auth` send it. `token` is the secret of its cookie. */
export const authSession = z.object({
  id: z.string(),
  token: z.string(),
  userId: z.string(),
  createdAt: date,
  updatedAt: date,
  expiresAt: date,
  ipAddress: z.optional(z.nullable(z.string())),
  userAgent: z.optional(z.nullable(z.string())),
  impersonatedBy: z.optional(z.nullable(z.string())),
})

const signedIn = z.object({ session: authSession, user: authUser })
const userOnly = z.object({ user: authUser })
const status = z.object({ status: z.boolean() })
const success = z.object({ success: z.boolean() })
/** `token` is null if the account has no session yet. */
const withToken = z.object({ token: z.nullable(z.string()), user: authUser })

/** The body of a success of every endpoint below `/api/auth` that is available. */
export const authResponses = {
  'GET /ok': z.object({ ok: z.boolean() }),
  'GET /get-session': z.nullable(signedIn),
  'POST /sign-up/email': withToken,
  'POST /sign-in/email': z.extend(withToken, { redirect: z.boolean() }),
  'POST /sign-out': success,
  'POST /verify-password': status,
  'POST /change-password': withToken,
  'POST /reset-password': status,
  'POST /update-user': status,
  'GET /list-sessions': z.array(authSession),
  'POST /revoke-session': status,
  'POST /revoke-sessions': status,
  'POST /revoke-other-sessions': status,
  'GET /admin/list-users': users,
  'POST /admin/ban-user': userOnly,
  'POST /admin/unban-user': userOnly,
  'POST /admin/remove-user': success,
  'POST /admin/set-role': userOnly,
  'POST /admin/set-user-password': status,
  'POST /admin/impersonate-user': signedIn,
  'POST /admin/stop-impersonating': signedIn,
  'POST /admin/revoke-user-session': success,
  'POST /admin/revoke-user-sessions': success,
} satisfies Readonly<Record<AuthEndpoint, z.ZodMiniType>>
