import { randomBytes } from 'node:crypto'
import type { DatabaseConnection } from '@repo/database'
import { checkId } from '../checks.ts'
import { signSessionValue } from '../cookie/session-cookie.ts'
import type { Settle } from './settle.ts'

export type Rotation =
  /** `cookieValue` is the token as Better Auth signs it. */
  | { outcome: 'rotated'; token: string; cookieValue: string }
  /** Another request rotated the token before, or the session has ended. The cookie stays as it is. */
  | { outcome: 'lost' }

const ROTATE = {
  name: 'session-rotate',
  text: `update session set token = $2, updated_at = now()
         where token = $1 and expires_at > now() returning id`,
}

/** Replaces the token of a session by compare-and-set: exactly one of several concurrent calls succeeds. */
export function createRotate(database: DatabaseConnection, secret: string, settle: Settle) {
  return async (token: string): Promise<Rotation> => {
    checkId('token', token)
    const next = randomBytes(24).toString('base64url')
    const { rowCount } = await database.pool.query({ ...ROTATE, values: [token, next] })
    if (rowCount !== 1) return { outcome: 'lost' }
    await settle()
    return { outcome: 'rotated', token: next, cookieValue: signSessionValue(next, secret) }
  }
}
