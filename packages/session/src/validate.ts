import { CacheError } from '@repo/cache-broadcast'
import { type BackgroundLog, runInBackground } from '@repo/concurrency'
import { isDatabaseUnavailable } from '@repo/database'
import type { Caller, Callers } from './cookie/callers.ts'
import type { CookieSite } from './cookie/cookie-options.ts'
import { claimCookieName, type Claims } from './cookie/second-cookie.ts'
import { SessionError } from './errors.ts'
import type { Reader } from './lookup/cached-lookup.ts'
import type { DatabaseClock } from './lookup/database-clock.ts'
import type { Actor, Known, Live, Session, SessionUser } from './lookup/session-record.ts'
import type { Counters } from './metrics/counters.ts'
import type { Revocations } from './revoke/recent-revocations.ts'
import type { Trust } from './revoke/trust.ts'

/** What answered a check: this process, the second cookie, Redis, or PostgreSQL. */
export type Tier = 'memo' | 'cookie' | 'redis' | 'database'

export type Validation =
  | {
      outcome: 'valid'
      session: Session
      user: SessionUser
      /** The administrator who acts for the user; absent when the user acts. */
      actor?: Actor
      tier: Tier
      /** A `Set-Cookie` line for the response, when the caller is due a new second cookie. */
      setCookie?: string
    }
  /** No cookie, one that is not ours, or a session that nobody ever heard of. */
  | { outcome: 'none' }
  | { outcome: 'expired' }
  /** It was there, and was ended: signed out, revoked, its user banned or deleted. */
  | { outcome: 'revoked' }
  /** No store could say: nobody is told that they are signed out. */
  | { outcome: 'unavailable'; cause: unknown }

export interface ValidateOptions extends CookieSite {
  callers: Callers
  claims: Claims
  reader: Reader
  /** Undefined without a bus: nothing is cached. */
  heard: { trust: Trust; revocations: Revocations; applied: () => number } | undefined
  clock: DatabaseClock
  counters: Counters
  cookieMs: number
  onSeen: (live: Live) => void
  log?: BackgroundLog | undefined
}

const NONE: Validation = { outcome: 'none' }
const NO_COOKIE = 'cookie must be the text of a Cookie header, or undefined'

/** Checks a `Cookie` header, by the cheapest that may be believed. */
export function createValidate(options: ValidateOptions) {
  const { callers, claims, reader, heard, clock, counters, cookieMs, onSeen } = options
  const name = claimCookieName(options)
  const seconds = Math.ceil(cookieMs / 1_000)
  const attributes = `; Max-Age=${seconds}; Path=/; HttpOnly; SameSite=Lax${options.secure ? '; Secure' : ''}`

  function isLive(known: Known | undefined): known is Live {
    return known?.state === 'live' && known.until.getTime() > clock.nowMs()
  }

  function valid(caller: Caller, live: Live, tier: Tier): Validation {
    counters[tier] += 1
    onSeen(live)
    const { session, user, actor } = live
    if (actor) return { outcome: 'valid', session, user, actor, tier }
    const setCookie = due(caller)
    if (setCookie === undefined) return { outcome: 'valid', session, user, tier }
    return { outcome: 'valid', session, user, tier, setCookie }
  }

  /**
   * Only of what this process keeps: all news up to `applied` is in it (S3). An impersonation gets
   * none: the cookie has no field for the actor.
   */
  function due(caller: Caller): string | undefined {
    if (!heard || cookieMs === 0) return undefined
    const nowMs = clock.nowMs()
    if (nowMs < caller.nextCookieMs || !heard.trust.holds()) return undefined
    const live = reader.peek(caller.key)
    if (live?.state !== 'live') return undefined
    caller.nextCookieMs = nowMs + cookieMs / 3
    const untilMs = Math.min(nowMs + cookieMs, live.until.getTime())
    const claim = { key: caller.key, n: heard.applied(), untilMs, live }
    const value = claims.sign(claim, caller.sessionCookie)
    return value && `${name}=${value}${attributes}`
  }

  function fromClaim(caller: Caller): Live | undefined {
    const { claim } = caller
    if (!claim || !heard) return undefined
    const { key, n, untilMs, live } = claim
    if (untilMs > clock.nowMs() && heard.revocations.allow(key, live.user.id, n)) return live
    caller.claim = undefined
    caller.nextCookieMs = 0
    return undefined
  }

  async function ask(caller: Caller, trusted: boolean): Promise<Validation> {
    const sinceMs = performance.now()
    const { key, token } = caller
    try {
      let { known, tier } = await (trusted
        ? reader.read(key, token)
        : reader.readDirect(key, token))
      if (known?.state === 'live' && !isLive(known)) {
        ;({ known, tier } = await reader.reread(key, token))
      }
      if (known?.state === 'live') return valid(caller, known, tier)
      counters[tier] += 1
      if (!known) return NONE
      return { outcome: known.state === 'expired' ? 'expired' : 'revoked' }
    } catch (cause) {
      if (!isUnavailable(cause)) throw cause
      counters.failures += 1
      return { outcome: 'unavailable', cause }
    } finally {
      counters.waitedUs += Math.round((performance.now() - sinceMs) * 1_000)
    }
  }

  /**
   * @throws what PostgreSQL answers when it refuses the query, as when the schema is not there
   * @throws SessionError `bad-argument`
   */
  return async function validate(cookie: string | undefined): Promise<Validation> {
    if (cookie === undefined) return NONE
    if (typeof cookie !== 'string') throw new SessionError('bad-argument', NO_COOKIE)
    const caller = callers.identify(cookie)
    if (!caller) return NONE
    const trusted = heard !== undefined && heard.trust.holds()
    if (trusted) {
      const kept = reader.peek(caller.key)
      if (isLive(kept)) return valid(caller, kept, 'memo')
      const live = kept ? undefined : fromClaim(caller)
      if (live) return valid(caller, live, 'cookie')
    } else if (heard) {
      runInBackground('session.trust', () => heard.trust.regain(), options.log)
    }
    return await ask(caller, trusted)
  }
}

function isUnavailable(error: unknown): boolean {
  if (error instanceof SessionError) return error.code === 'overloaded'
  if (error instanceof CacheError) return error.code === 'load-timeout' || error.code === 'closed'
  return isDatabaseUnavailable(error)
}
