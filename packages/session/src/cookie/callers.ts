import { hash } from 'node:crypto'
import { createTwoGenerationMap } from '@repo/concurrency'
import type { CookieOptions } from './cookie-options.ts'
import { createDoorkeeper } from './doorkeeper.ts'
import { claimCookieName, type Claims, type VerifiedClaim } from './second-cookie.ts'
import { checkSessionValue, findSessionCookie, onlyCookie } from './session-cookie.ts'

/** Longer headers are checked each time. */
const MAX_HEADER = 2_048

/** Who sent a `Cookie` header, as far as its signatures say. */
export interface Caller {
  /** SHA-256 (hex) of the token. */
  readonly key: string
  readonly token: string
  /** The session cookie as it was sent. */
  readonly sessionCookie: string
  /** What the second cookie says, while it may still be believed. */
  claim: VerifiedClaim | undefined
  /** From when on, by the database's clock, a new second cookie is due. */
  nextCookieMs: number
}

export interface CallersOptions extends CookieOptions {
  claims: Claims
  cookieMs: number
  maxEntries: number
}

/** Reads `Cookie` headers; what was verified is remembered, so that a hot one costs no HMAC. */
export function createCallers(options: CallersOptions) {
  const { claims, cookieMs, maxEntries } = options
  const claimNames = [claimCookieName(options)]
  const memo = createTwoGenerationMap<Caller>(maxEntries)
  const wasMet = createDoorkeeper()

  function verify(header: string): Caller | undefined {
    const sessionCookie = findSessionCookie(header, options)
    if (sessionCookie === undefined) return undefined
    const second = cookieMs > 0 ? onlyCookie(header, claimNames) : undefined
    const claim = second && claims.verify(second, sessionCookie)
    if (claim) {
      // Its mac vouches for the session cookie, which was verified when it was made.
      const token = tokenOf(sessionCookie)
      const nextCookieMs = claim.untilMs - cookieMs / 3
      return { key: claim.key, token, sessionCookie, claim, nextCookieMs }
    }
    const check = checkSessionValue(sessionCookie, options)
    if (check.outcome === 'none') return undefined
    const { token } = check
    return { key: hash('sha256', token), token, sessionCookie, claim: undefined, nextCookieMs: 0 }
  }

  /** Second cookies come and go: only what comes again is remembered. */
  function isWorthIt({ claim }: Caller): boolean {
    return !claim || wasMet(claim.mac)
  }

  return {
    /** Undefined: no session cookie, or none that is ours. */
    identify(header: string): Caller | undefined {
      const known = memo.get(header)
      if (known) return known
      const caller = verify(header)
      if (caller && header.length <= MAX_HEADER && isWorthIt(caller)) memo.set(header, caller)
      return caller
    },
  }
}

export type Callers = ReturnType<typeof createCallers>

function tokenOf(sessionCookie: string): string {
  const text = decodeURIComponent(sessionCookie)
  return text.slice(0, text.lastIndexOf('.'))
}
