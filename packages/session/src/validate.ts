import { CacheError } from '@repo/cache-broadcast'
import { isDatabaseUnavailable } from '@repo/database'
import type { Caller, Callers } from './cookie/callers.ts'
import type { CookieSite } from './cookie/cookie-options.ts'
import { claimCookieName, type Claims } from './cookie/second-cookie.ts'
import { SessionError } from './errors.ts'
import type { CachedLookup } from './lookup/cached-lookup.ts'
import type { DatabaseClock } from './lookup/database-clock.ts'
import type { Actor, SessionRecord, Live, Session, SessionUser } from './lookup/session-record.ts'
import type { Counters, OutcomeCounters } from './metrics/counters.ts'
import type { Revocations } from './revoke/recent-revocations.ts'
import type { Trust } from './revoke/trust.ts'

/** The source of a result: this process, the second cookie, Redis, or PostgreSQL. */
export type Tier = 'memo' | 'cookie' | 'redis' | 'database'

export type Validation =
  | {
      outcome: 'valid'
      session: Session
      user: SessionUser
      /** The administrator who acts for the user; absent when the user acts. */
      actor?: Actor
      tier: Tier
      /** A `Set-Cookie` line for the response when a new second cookie is due. */
      setCookie?: string
    }
  /** No cookie, a cookie that this site did not sign, or a token that no session ever had. */
  | { outcome: 'none' }
  | { outcome: 'expired' }
  /** The session existed and was ended: signed out, revoked, or its user is banned or deleted. */
  | { outcome: 'revoked' }
  /** No store has the answer. The caller must not be treated as signed out. */
  | { outcome: 'unavailable'; cause: unknown }

export interface ValidateOptions extends CookieSite {
  callers: Callers
  claims: Claims
  lookup: CachedLookup
  /** Undefined without a bus, when nothing is cached. */
  trusted: { trust: Trust; revocations: Revocations; applied: () => number } | undefined
  clock: DatabaseClock
  counters: Counters
  outcomes: OutcomeCounters
  cookieMs: number
  onSeen: (live: Live) => void
}

const NONE: Validation = { outcome: 'none' }
const NO_COOKIE = 'cookie must be the text of a Cookie header, or undefined'

/** Checks a `Cookie` header by the cheapest source that is trusted. */
export function createValidate(options: ValidateOptions) {
  const { callers, claims, lookup, trusted, clock, counters, outcomes, cookieMs, onSeen } = options
  let recordTime: ((seconds: number) => void) | undefined
  const name = claimCookieName(options)
  const seconds = Math.ceil(cookieMs / 1_000)
  const attributes = `; Max-Age=${seconds}; Path=/; HttpOnly; SameSite=Lax${options.secure ? '; Secure' : ''}`

  function isLive(record: SessionRecord | undefined): record is Live {
    return record?.state === 'live' && record.until.getTime() > clock.nowMs()
  }

  function none(): Validation {
    outcomes.none += 1
    return NONE
  }

  function valid(caller: Caller, live: Live, tier: Tier): Validation {
    counters[tier] += 1
    outcomes.valid += 1
    onSeen(live)
    const { session, user, actor } = live
    if (actor) return { outcome: 'valid', session, user, actor, tier }
    const setCookie = createSecondCookie(caller)
    if (setCookie === undefined) return { outcome: 'valid', session, user, tier }
    return { outcome: 'valid', session, user, tier, setCookie }
  }

  /**
   * The second cookie is signed from the record in memory, which contains every message up to `applied`
   * (S3). An impersonation has no second cookie: the cookie has no field for the actor.
   */
  function createSecondCookie(caller: Caller): string | undefined {
    if (!trusted || cookieMs === 0) return undefined
    const nowMs = clock.nowMs()
    if (nowMs < caller.nextCookieMs || !trusted.trust.holds()) return undefined
    const live = lookup.peek(caller.key)
    if (live?.state !== 'live') return undefined
    caller.nextCookieMs = nowMs + cookieMs / 3
    const untilMs = Math.min(nowMs + cookieMs, live.until.getTime())
    const claim = { key: caller.key, n: trusted.applied(), untilMs, live }
    const value = claims.sign(claim, caller.sessionCookie)
    return value && `${name}=${value}${attributes}`
  }

  /** The record of the second cookie, if this instance received no revocation of it (S3). */
  function findByClaim(caller: Caller): Live | undefined {
    const { claim } = caller
    if (!claim || !trusted) return undefined
    const { key, n, untilMs, live } = claim
    if (untilMs > clock.nowMs() && trusted.revocations.allow(key, live.user.id, n)) return live
    caller.claim = undefined
    caller.nextCookieMs = 0
    return undefined
  }

  /** Reads Redis or PostgreSQL. */
  async function find(caller: Caller, isTrusted: boolean): Promise<Validation> {
    const startedMs = performance.now()
    const { key, token } = caller
    try {
      let { record, tier } = await (isTrusted
        ? lookup.read(key, token)
        : lookup.readDirect(key, token))
      if (record?.state === 'live' && !isLive(record)) {
        ;({ record, tier } = await lookup.reread(key, token))
      }
      if (record?.state === 'live') return valid(caller, record, tier)
      counters[tier] += 1
      if (!record) return none()
      const outcome = record.state === 'expired' ? 'expired' : 'revoked'
      outcomes[outcome] += 1
      return { outcome }
    } catch (cause) {
      if (!isUnavailable(cause)) throw cause
      counters.failures += 1
      outcomes.unavailable += 1
      return { outcome: 'unavailable', cause }
    } finally {
      const waitedUs = Math.round((performance.now() - startedMs) * 1_000)
      counters.waitedUs += waitedUs
      recordTime?.(waitedUs / 1_000_000)
    }
  }

  /** The session in the memory of this process, or in a second cookie. The trust holds. */
  function findHere(caller: Caller): Validation | undefined {
    const cached = lookup.peek(caller.key)
    if (isLive(cached)) return valid(caller, cached, 'memo')
    const live = cached ? undefined : findByClaim(caller)
    return live && valid(caller, live, 'cookie')
  }

  /** S10: after a lapse all checks share one round trip, before any of them reads PostgreSQL. */
  async function findAfterLapse(caller: Caller, trust: Trust): Promise<Validation> {
    await trust.renew()
    if (!trust.holds()) return find(caller, false)
    return findHere(caller) ?? find(caller, true)
  }

  /**
   * A promise only if Redis or PostgreSQL is read.
   * @throws SessionError `bad-argument`
   */
  function validateNow(cookie: string | undefined): Validation | Promise<Validation> {
    if (cookie === undefined) return none()
    if (typeof cookie !== 'string') throw new SessionError('bad-argument', NO_COOKIE)
    const caller = callers.identify(cookie)
    if (!caller) return none()
    if (!trusted) return find(caller, false)
    return trusted.trust.holds()
      ? (findHere(caller) ?? find(caller, true))
      : findAfterLapse(caller, trusted.trust)
  }

  return {
    validateNow,
    recordTimes(record: (seconds: number) => void): void {
      recordTime = record
    },
    /**
     * @throws the error of PostgreSQL when it refuses the query, for example without the schema
     * @throws SessionError `bad-argument`
     */
    async validate(cookie: string | undefined): Promise<Validation> {
      return await validateNow(cookie)
    },
  }
}

function isUnavailable(error: unknown): boolean {
  if (error instanceof SessionError) return error.code === 'overloaded'
  if (error instanceof CacheError) return error.code === 'load-timeout' || error.code === 'closed'
  return isDatabaseUnavailable(error)
}
