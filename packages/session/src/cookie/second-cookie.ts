import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { Live } from '../lookup/session-record.ts'
import type { CookieSite } from './cookie-options.ts'

/** A longer cookie is not sent. */
const MAX_LENGTH = 1_500

/** The content of the second cookie: the session as it was read at number `n` of the log. */
export interface Claim {
  key: string
  n: number
  /** By the database's clock. */
  untilMs: number
  live: Live
}

/** A claim whose MAC is verified. */
export interface VerifiedClaim extends Claim {
  mac: string
}

/** Version, key, n, until; session id, created, expires; user id, name, e-mail, role. */
const payload = z.tuple([
  z.literal(1),
  z.string(),
  z.number(),
  z.number(),
  z.string(),
  z.number(),
  z.number(),
  z.string(),
  z.string(),
  z.string(),
  z.string(),
])

/** The name of the second cookie. Over https its prefix prevents other hosts and http pages from setting it. */
export function claimCookieName({ secure, port }: CookieSite): string {
  if (secure === true) return '__Host-sc'
  return port === undefined ? 'threefold.sc' : `threefold-${port}.sc`
}

/**
 * Signs and verifies the second cookie: `kid.payload.mac`. The MAC also covers the session cookie of
 * the same request (S3). With any other session cookie the second cookie is not valid.
 */
export function createClaims(secrets: readonly [string, ...string[]]) {
  const ring = secrets.map(toKey)
  const [current] = ring

  return {
    /** Returns undefined when the claim is too long for a cookie. */
    sign({ key, n, untilMs, live }: Claim, sessionCookie: string): string | undefined {
      if (!current) return undefined
      const { session, user } = live
      const times = [session.createdAt.getTime(), session.expiresAt.getTime()]
      const person = [user.id, user.name, user.email, user.role]
      const json = JSON.stringify([1, key, n, Math.floor(untilMs), session.id, ...times, ...person])
      const text = `${current.kid}.${Buffer.from(json).toString('base64url')}`
      if (text.length > MAX_LENGTH) return undefined
      return `${text}.${macOf(current.key, text, sessionCookie)}`
    },

    /** Returns undefined for a cookie that this site did not sign beside this session cookie. */
    verify(value: string, sessionCookie: string): VerifiedClaim | undefined {
      if (value.length > MAX_LENGTH + 50) return undefined
      const end = value.lastIndexOf('.')
      const text = value.slice(0, end)
      const signer = ring.find(({ kid }) => text.startsWith(`${kid}.`))
      if (!signer) return undefined
      const expected = Buffer.from(macOf(signer.key, text, sessionCookie))
      const given = Buffer.from(value.slice(end + 1))
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
      const claim = parseClaim(text.slice(signer.kid.length + 1))
      return claim && { ...claim, mac: value.slice(end + 1) }
    },
  }
}

export type Claims = ReturnType<typeof createClaims>

function macOf(key: KeyObject, text: string, sessionCookie: string): string {
  return createHmac('sha256', key).update(`${text}\n${sessionCookie}`).digest('base64url')
}

/** Returns undefined for a payload that another release wrote in another form. */
function parseClaim(text: string): Claim | undefined {
  const { success, data } = payload.safeParse(parseJson(Buffer.from(text, 'base64url').toString()))
  if (!success) return undefined
  const [, key, n, untilMs, sessionId, createdMs, expiresMs, id, name, email, role] = data
  const session = {
    id: sessionId,
    createdAt: new Date(createdMs),
    expiresAt: new Date(expiresMs),
  }
  const live: Live = {
    state: 'live',
    session,
    user: { id, name, email, role },
    until: new Date(untilMs),
  }
  return { key, n, untilMs, live }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A derived key, so that the signature of one cookie is not valid for the other. */
function toKey(secret: string): { kid: string; key: KeyObject } {
  const derived = createHmac('sha256', secret).update('threefold session claim').digest()
  return { kid: hash('sha256', derived, 'base64url').slice(0, 6), key: createSecretKey(derived) }
}
