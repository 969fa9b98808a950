import { z } from 'zod'
import { checkText } from '../checks.ts'

/** In UTF-16 units, as the schemas of sign-up count. */
const MAX_NAME = 100
/** RFC 5321 4.5.3.1.3 */
const MAX_EMAIL = 254

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

/** The state of a token that was valid at some time, read from PostgreSQL. Callers share it. */
export type SessionRecord =
  /** Valid until `until` by the database's clock, unless a revocation arrives before. */
  | { state: 'live'; session: Session; user: SessionUser; actor?: Actor | undefined; until: Date }
  | { state: 'expired' }
  | { state: 'gone' }

export type Live = Extract<SessionRecord, { state: 'live' }>

// The previous release stores names and addresses of any length.
const userName = z.string().transform(boundName)

const live = z.object({
  state: z.literal('live'),
  session: z
    .object({ id: z.string(), createdAt: z.coerce.date(), expiresAt: z.coerce.date() })
    .readonly(),
  user: z
    .object({
      id: z.string(),
      name: userName,
      email: z.string().transform(boundEmail),
      role: z.string(),
    })
    .readonly(),
  until: z.coerce.date(),
})

// Read-only from the start: the cache does not walk through a frozen value.
const record: z.ZodType<SessionRecord> = z.discriminatedUnion('state', [
  live.readonly(),
  z.object({ state: z.literal('expired') }).readonly(),
  z.object({ state: z.literal('gone') }).readonly(),
])

/** A separate schema: an optional field would make the check of every other session slower. */
const impersonated = live
  .extend({ actor: z.object({ id: z.string(), name: userName }).readonly() })
  .readonly()

/**
 * A record without `actor` belongs to a session without one, or to a release without impersonation.
 *
 * @throws z.ZodError for a record that another release wrote in another form
 */
export function parseRecord(stored: unknown): SessionRecord {
  const hasActor = typeof stored === 'object' && stored !== null && 'actor' in stored
  return hasActor ? impersonated.parse(stored) : record.parse(stored)
}

/** The tag that a change of the user invalidates. The triggers of the database use it too. */
export function userTag(userId: string): string {
  return `user:${userId}`
}

/**
 * The name of a user as sessions and headers carry it. Earlier releases stored names and addresses of
 * any length, which would fill Redis and exceed the limits of headers.
 */
export function boundName(name: string): string {
  checkText('name', name)
  return cut(name, MAX_NAME)
}

/** The e-mail address of a user. A shortened one ends in a character that no address has. */
export function boundEmail(email: string): string {
  checkText('email', email)
  return cut(email, MAX_EMAIL)
}

function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`
}
