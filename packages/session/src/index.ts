export { boundEmail, boundName } from './bounds.ts'
export { chosenCookies, removedCookies, sessionCookieHeader } from './chosen-cookie.ts'
export { type CookieOptions, type CookieSite } from './cookie-options.ts'
export { cookiePrefix, cookieSiteOf } from './cookie.ts'
export { type Device, type ListOptions } from './devices.ts'
export { SessionError, type SessionErrorCode } from './errors.ts'
export { type Actor, type Session, type SessionUser } from './known.ts'
export {
  applySessionLimit,
  type SessionLimit,
  type SessionRefusal,
  sessionRefusal,
  setSessionLimit,
} from './limit.ts'
export { type Observability } from './observability.ts'
export { type Revocation, type RevokeTarget } from './revoke.ts'
export { type Rotation } from './rotate.ts'
export { carriesSessionCookie, sentTokens } from './sent-cookies.ts'
export { type SessionsOptions } from './options.ts'
export { createSessions } from './sessions.ts'
export { type Sessions } from './sessions-api.ts'
export { type Settlement, type SettleOptions } from './settle.ts'
export { type Tier, type Validation } from './validate.ts'
