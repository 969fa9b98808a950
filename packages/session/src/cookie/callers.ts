import { hash } from 'node:crypto'
import { createTwoGenerationMap } from '@repo/concurrency'
import type { CookieOptions } from './cookie-options.ts'
import { claimCookieName, type Claims, type VerifiedClaim } from './second-cookie.ts'
import { checkSessionValue, findSessionCookie, onlyCookie } from './session-cookie.ts'

/** A longer header is verified each time. */
const MAX_HEADER = 2_048
/** The doorkeeper has one byte for each value of this number of bits. */
const BITS = 16
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The caller of a request according to the signatures in its `Cookie` header. */
export interface Caller {
  /** SHA-256 (hex) of the token. */
  readonly key: string
  readonly token: string
  /** The session cookie as it was sent. */
  readonly sessionCookie: string
  /** The content of the second cookie while it may be trusted. */
  claim: VerifiedClaim | undefined
  /** The time by the database's clock from which a new second cookie is due. */
  nextCookieMs: number
}

export interface CallersOptions extends CookieOptions {
  claims: Claims
  cookieMs: number
  maxEntries: number
}

/** Reads `Cookie` headers. A verified header is cached, so that a frequent one costs no HMAC. */
export function createCallers(options: CallersOptions) {
  const { claims, cookieMs, maxEntries } = options
  const claimNames = [claimCookieName(options)]
  const verified = createTwoGenerationMap<Caller>(maxEntries)
  const wasSeen = createDoorkeeper()

  function verify(header: string): Caller | undefined {
    const sessionCookie = findSessionCookie(header, options)
    if (sessionCookie === undefined) return undefined
    const second = cookieMs > 0 ? onlyCookie(header, claimNames) : undefined
    const claim = second && claims.verify(second, sessionCookie)
    if (claim) {
      // Its MAC covers the session cookie, which was verified when the claim was signed.
      const token = tokenOf(sessionCookie)
      const nextCookieMs = claim.untilMs - cookieMs / 3
      return { key: claim.key, token, sessionCookie, claim, nextCookieMs }
    }
    const check = checkSessionValue(sessionCookie, options)
    if (check.outcome === 'none') return undefined
    const { token } = check
    return { key: hash('sha256', token), token, sessionCookie, claim: undefined, nextCookieMs: 0 }
  }

  /** Second cookies are short-lived: only a header that is sent again is cached. */
  function isReused({ claim }: Caller): boolean {
    return !claim || wasSeen(claim.mac)
  }

  return {
    /** Returns undefined without a session cookie that this site signed. */
    identify(header: string): Caller | undefined {
      const cached = verified.get(header)
      if (cached) return cached
      const caller = verify(header)
      if (caller && header.length <= MAX_HEADER && isReused(caller)) verified.set(header, caller)
      return caller
    },
  }
}

export type Callers = ReturnType<typeof createCallers>

function tokenOf(sessionCookie: string): string {
  const text = decodeURIComponent(sessionCookie)
  return text.slice(0, text.lastIndexOf('.'))
}

/**
 * Returns whether a MAC (base64url, so its characters are random) was probably seen before. An entry
 * that is used once would evict entries that are used again. It takes 64 KB and no allocation (the
 * doorkeeper of Einziger, Friedman and Manes, TinyLFU, 2017).
 */
function createDoorkeeper() {
  const seen = new Uint8Array(2 ** BITS)

  return (mac: string): boolean => {
    let bits = 0
    for (let at = 0; at < 4; at += 1) bits = bits * 64 + ALPHABET.indexOf(mac.charAt(at))
    const place = bits >>> 8
    const mark = bits & 255 || 1
    if (seen[place] === mark) return true
    seen[place] = mark
    return false
  }
}
