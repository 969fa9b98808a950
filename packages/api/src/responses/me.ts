import * as z from 'zod/mini'
import { date } from './date.ts'

/**
 * `GET /api/me`: the signed-in user. The optional fields are absent while PostgreSQL is
 * unavailable.
 */
export const me = z.object({
  user: z.object({
    id: z.string(),
    name: z.string(),
    email: z.string(),
    role: z.optional(z.nullable(z.string())),
    emailVerified: z.optional(z.boolean()),
    image: z.optional(z.nullable(z.string())),
    createdAt: z.optional(date),
  }),
  /** Absent for the caller with an API key. */
  session: z.optional(z.object({ id: z.string(), createdAt: date, expiresAt: date })),
  key: z.optional(z.object({ id: z.string(), name: z.string(), scopes: z.array(z.string()) })),
  /** The administrator who acts for the user. */
  actor: z.optional(z.object({ id: z.string(), name: z.string() })),
  /** How the caller proved the identity: `session` or `api-key`. */
  via: z.optional(z.string()),
})
export type Me = z.infer<typeof me>
