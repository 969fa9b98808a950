import { type DatabaseConnection, isDatabaseUnavailable } from '@repo/database'
import { readSessionCookie } from './cookie.ts'

export interface SessionUser {
  id: string
  name: string
  email: string
  role: string
}

export interface Session {
  id: string
  createdAt: Date
  expiresAt: Date
}

export type Validation =
  | { outcome: 'valid'; session: Session; user: SessionUser }
  /** No cookie, one that is not ours, or a session that is not there (any more). */
  | { outcome: 'none' }
  | { outcome: 'expired' }
  /** The store did not answer: nobody is told that they are signed out. */
  | { outcome: 'unavailable'; cause: unknown }

export interface SessionsOptions {
  database: DatabaseConnection
  /** Better Auth's secret, which signs the cookie. */
  secret: string
  /**
   * Whether the site is served over https: then only the `__Secure-` cookie counts, which no http
   * page can plant. Without it either name does.
   */
  secure?: boolean
}

export interface Sessions {
  /**
   * Who the caller is, from the `Cookie` header. At most one database query, by a unique index.
   * @throws what PostgreSQL says when it refuses the query, as when the schema is not there
   */
  validate(cookie: string | undefined): Promise<Validation>
}

interface Row {
  id: string
  created_at: Date
  expires_at: Date
  expired: boolean
  user_id: string
  name: string
  email: string
  role: string
}

// A named statement: parsed and planned once per connection. Only the database's clock decides.
const BY_TOKEN = {
  name: 'session-by-token',
  text: `select s.id, s.created_at, s.expires_at, s.expires_at <= now() as expired,
                u.id as user_id, u.name, u.email, u.role
         from session s join "user" u on u.id = s.user_id
         where s.token = $1 and not u.banned`,
}

/**
 * Validates the sessions that Better Auth keeps in PostgreSQL, without calling Better Auth: the
 * cookie's signature is checked here and the session is one indexed read.
 */
export function createSessions({ database, secret, secure }: SessionsOptions): Sessions {
  async function find(token: string): Promise<Row | undefined> {
    const { rows } = await database.pool.query<Row>({ ...BY_TOKEN, values: [token] })
    return rows[0]
  }

  return {
    async validate(cookie) {
      const signed = readSessionCookie(cookie, { secret, secure })
      if (signed.outcome === 'none') return { outcome: 'none' }
      try {
        const row = await find(signed.token)
        if (!row) return { outcome: 'none' }
        if (row.expired) return { outcome: 'expired' }
        return { outcome: 'valid', session: sessionOf(row), user: userOf(row) }
      } catch (error) {
        if (!isDatabaseUnavailable(error)) throw error
        return { outcome: 'unavailable', cause: error }
      }
    },
  }
}

function sessionOf({ id, created_at, expires_at }: Row): Session {
  return { id, createdAt: created_at, expiresAt: expires_at }
}

function userOf({ user_id, name, email, role }: Row): SessionUser {
  return { id: user_id, name, email, role }
}
