import { z } from 'zod'
import * as field from './fields.ts'

/** An endpoint of Better Auth that is mounted. */
export interface Endpoint {
  /** The body of a POST, the query of a GET. Unknown fields are refused. */
  input: z.ZodType
  /**
   * Whose password the endpoint checks: of the e-mail address in the input, or of the signed-in user.
   * `new` sets the first password of the address.
   */
  password?: 'of-email' | 'of-session' | 'new'
  /** Whether a success shows that the device belongs to the account's owner. */
  trustsDevice?: true
}

const none = z.strictObject({})
const ofUser = z.strictObject({ userId: field.userId })
const rememberMe = z.boolean().optional()

/**
 * Every endpoint of Better Auth that is mounted, by method and path, with the schema of its input.
 * All other endpoints of Better Auth answer 404.
 */
const endpoints: Readonly<Record<string, Endpoint>> = {
  'GET /ok': { input: none },
  'GET /get-session': {
    input: z.strictObject({
      disableCookieCache: field.flag.optional(),
      disableRefresh: field.flag.optional(),
    }),
  },
  'POST /sign-up/email': {
    input: z.strictObject({
      name: field.name,
      email: field.email,
      password: field.password,
      image: field.image.optional(),
      rememberMe,
    }),
    password: 'new',
    trustsDevice: true,
  },
  'POST /sign-in/email': {
    input: z.strictObject({ email: field.email, password: field.password, rememberMe }),
    password: 'of-email',
    trustsDevice: true,
  },
  'POST /sign-out': { input: none },
  'POST /verify-password': {
    input: z.strictObject({ password: field.password }),
    password: 'of-session',
  },
  'POST /change-password': {
    input: z.strictObject({
      currentPassword: field.password,
      newPassword: field.password,
      revokeOtherSessions: z.boolean().optional(),
    }),
    password: 'of-session',
    trustsDevice: true,
  },
  'POST /reset-password': {
    input: z.strictObject({ newPassword: field.password, token: field.token }),
  },
  'POST /update-user': {
    input: z
      .strictObject({ name: field.name.optional(), image: field.image.nullable().optional() })
      .refine(({ name, image }) => name !== undefined || image !== undefined, {
        error: 'must have name or image',
      }),
  },
  'GET /list-sessions': { input: none },
  'POST /revoke-session': { input: z.strictObject({ token: field.token }) },
  'POST /revoke-sessions': { input: none },
  'POST /revoke-other-sessions': { input: none },
  'GET /admin/list-users': {
    input: z.strictObject({
      searchValue: field.searchValue.optional(),
      searchField: z.enum(['email', 'name']).optional(),
      searchOperator: z.enum(['contains', 'starts_with', 'ends_with']).optional(),
      limit: field.integer(1, 100).optional(),
      offset: field.integer(0, 1_000_000).optional(),
      sortBy: z.enum(['name', 'email', 'role', 'banned', 'createdAt', 'updatedAt']).optional(),
      sortDirection: z.enum(['asc', 'desc']).optional(),
    }),
  },
  'POST /admin/ban-user': {
    input: z.strictObject({
      userId: field.userId,
      banReason: field.banReason.optional(),
      banExpiresIn: field.banExpiresIn.optional(),
    }),
  },
  'POST /admin/unban-user': { input: ofUser },
  'POST /admin/remove-user': { input: ofUser },
  'POST /admin/set-role': { input: z.strictObject({ userId: field.userId, role: field.role }) },
  'POST /admin/set-user-password': {
    input: z.strictObject({ userId: field.userId, newPassword: field.password }),
  },
  'POST /admin/impersonate-user': { input: ofUser },
  'POST /admin/stop-impersonating': { input: none },
  'POST /admin/revoke-user-session': { input: z.strictObject({ sessionToken: field.token }) },
  'POST /admin/revoke-user-sessions': { input: ofUser },
}

const mounted = new Map(Object.entries(endpoints))

/** @param path without `/api/auth` */
export function findEndpoint(method: string, path: string): Endpoint | undefined {
  return mounted.get(`${method} ${path}`)
}

/** `POST /sign-out` and so on. */
export function mountedEndpoints(): string[] {
  return [...mounted.keys()]
}
