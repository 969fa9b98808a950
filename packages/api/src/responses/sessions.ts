import * as z from 'zod/mini'
import { date } from './date.ts'

const session = z.object({
  id: z.string(),
  /** Whether the request itself used this session. */
  current: z.boolean(),
  agent: z.nullable(z.string()),
  address: z.nullable(z.string()),
  createdAt: date,
  lastSeenAt: date,
})
export type Session = z.infer<typeof session>

/**
 * `GET /api/sessions`: the sessions of the user, at most 100; `more` is true if there are others.
 */
export const sessions = z.object({
  sessions: z.array(session),
  more: z.optional(z.boolean()),
})

/**
 * `DELETE /api/sessions` and `DELETE /api/sessions/:id`: how many sessions ended. The number of
 * instances and of those that confirmed it are present when the answer waited for them.
 */
export const revocation = z.object({
  revoked: z.number(),
  acked: z.optional(z.number()),
  instances: z.optional(z.number()),
  ms: z.number(),
})
export type Revocation = z.infer<typeof revocation>
