import * as z from 'zod/mini'
import { date } from './date.ts'

const user = z.object({
  id: z.string(),
  name: z.string(),
  email: z.string(),
  role: z.optional(z.nullable(z.string())),
  banned: z.optional(z.nullable(z.boolean())),
  createdAt: date,
})
export type User = z.infer<typeof user>

/** `GET /api/auth/admin/list-users`: one page of users, and the number of all. */
export const users = z.object({ users: z.array(user), total: z.number() })
