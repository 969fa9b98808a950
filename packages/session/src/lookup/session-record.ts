import { z } from 'zod'
import { boundEmail, boundName } from './bounds.ts'

export interface SessionUser {
  id: string
  name: string
  email: string
  role: string
}

/** The administrator who acts for the user of a session. */
export interface Actor {
  id: string
  name: string
}

export interface Session {
  id: string
  createdAt: Date
  expiresAt: Date
}

/** What PostgreSQL says of a token that was ever good; shared by all callers. */
export type Known =
  /** Good until then by the database's clock, unless something is heard before. */
  | { state: 'live'; session: Session; user: SessionUser; actor?: Actor | undefined; until: Date }
  | { state: 'expired' }
  | { state: 'gone' }

export type Live = Extract<Known, { state: 'live' }>

// The release before this one stores names and addresses of any length.
const name = z.string().transform(boundName)

const live = z.object({
  state: z.literal('live'),
  session: z
    .object({ id: z.string(), createdAt: z.coerce.date(), expiresAt: z.coerce.date() })
    .readonly(),
  user: z
    .object({ id: z.string(), name, email: z.string().transform(boundEmail), role: z.string() })
    .readonly(),
  until: z.coerce.date(),
})

// Read-only from the start: what is frozen already, the cache does not walk through.
const known: z.ZodType<Known> = z.discriminatedUnion('state', [
  live.readonly(),
  z.object({ state: z.literal('expired') }).readonly(),
  z.object({ state: z.literal('gone') }).readonly(),
])

/** A schema of its own: an optional field would make the check of every other session slower. */
const impersonated = live
  .extend({ actor: z.object({ id: z.string(), name }).readonly() })
  .readonly()

/**
 * A record without `actor` is of a session without one, or of the release before impersonation.
 * @throws z.ZodError for what another release wrote
 */
export function parseKnown(stored: unknown): Known {
  const hasActor = typeof stored === 'object' && stored !== null && 'actor' in stored
  return hasActor ? impersonated.parse(stored) : known.parse(stored)
}

/** What a change of the user invalidates; the database's triggers name it too. */
export function userTag(userId: string): string {
  return `user:${userId}`
}
