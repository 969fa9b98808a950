import { z } from 'zod'
import * as field from './fields.ts'

const none = z.strictObject({})
const user = z.strictObject({ userId: field.userId })
const rememberMe = z.boolean().optional()

/**
 * Every endpoint below `/api/auth` that is available, by method and path: the body of a POST, the
 * query of a GET. Unknown fields are refused.
 */
export const authRequests = {
  'GET /ok': none,
  'GET /get-session': z.strictObject({
    disableCookieCache: field.flag.optional(),
    disableRefresh: field.flag.optional(),
  }),
  'POST /sign-up/email': z.strictObject({
    name: field.name,
    email: field.email,
    password: field.password,
    image: field.image.optional(),
    rememberMe,
  }),
  'POST /sign-in/email': z.strictObject({
    email: field.email,
    password: field.password,
    rememberMe,
  }),
  'POST /sign-out': none,
  'POST /verify-password': z.strictObject({ password: field.password }),
  'POST /change-password': z.strictObject({
    currentPassword: field.password,
    newPassword: field.password,
    revokeOtherSessions: z.boolean().optional(),
  }),
  'POST /reset-password': z.strictObject({ newPassword: field.password, token: field.token }),
  'POST /update-user': z
    .strictObject({ name: field.name.optional(), image: field.image.nullable().optional() })
    .refine(({ name, image }) => name !== undefined || image !== undefined, {
      error: 'must have name or image',
    }),
  'GET /list-sessions': none,
  'POST /revoke-session': z.strictObject({ token: field.token }),
  'POST /revoke-sessions': none,
  'POST /revoke-other-sessions': none,
  'GET /admin/list-users': z.strictObject({
    searchValue: field.searchValue.optional(),
    searchField: z.enum(['email', 'name']).optional(),
    searchOperator: z.enum(['contains', 'starts_with', 'ends_with']).optional(),
    limit: field.integer(1, 100).optional(),
    offset: field.integer(0, 1_000_000).optional(),
    sortBy: z.enum(['name', 'email', 'role', 'banned', 'createdAt', 'updatedAt']).optional(),
    sortDirection: z.enum(['asc', 'desc']).optional(),
  }),
  'POST /admin/ban-user': z.strictObject({
    userId: field.userId,
    banReason: field.banReason.optional(),
    banExpiresIn: field.banExpiresIn.optional(),
  }),
  'POST /admin/unban-user': user,
  'POST /admin/remove-user': user,
  'POST /admin/set-role': z.strictObject({ userId: field.userId, role: field.role }),
  'POST /admin/set-user-password': z.strictObject({
    userId: field.userId,
    newPassword: field.password,
  }),
  'POST /admin/impersonate-user': user,
  'POST /admin/stop-impersonating': none,
  'POST /admin/revoke-user-session': z.strictObject({ sessionToken: field.token }),
  'POST /admin/revoke-user-sessions': user,
} satisfies Readonly<Record<string, z.ZodType>>

/** `POST /sign-out` and so on. */
export type AuthEndpoint = keyof typeof authRequests

/** The input that a client sends to an endpoint of `/api/auth`. */
export type AuthRequest<Endpoint extends AuthEndpoint> = z.input<(typeof authRequests)[Endpoint]>
