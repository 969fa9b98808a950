import { z } from 'zod'
import { type Scope, scopes } from '../scopes.ts'

const names = Object.keys(scopes).filter((name): name is Scope => name in scopes)

/** `POST /api/keys`. Without `expiresInDays` the key does not expire. */
export const newKey = z.strictObject({
  // PostgreSQL cannot store NUL, and a page shows no other control character.
  name: z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(60, 'must have at most 60 characters')
    .regex(/^\P{Cc}*$/u, 'must not contain control characters')
    .refine((text) => text.isWellFormed(), { error: 'must be well-formed Unicode' }),
  scopes: z
    .array(z.enum(names))
    .min(1, 'must have at least one scope')
    .max(names.length)
    .transform((list) => [...new Set(list)]),
  expiresInDays: z.int('must be a whole number of days').min(1).max(3_650).optional(),
})
export type NewKey = z.input<typeof newKey>
