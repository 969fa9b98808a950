export { boundEmail, boundName } from './lookup/session-record.ts'
export {
  chosenCookies,
  removedCookies,
  sessionCookieHeader,
  sessionCookieName,
} from './cookie/chosen-cookies.ts'
export { type CookieOptions, type CookieSite } from './cookie/cookie-options.ts'
export { cookiePrefix, cookieSiteOf } from './cookie/session-cookie.ts'
export { type Device, type ListOptions } from './devices.ts'
export { SessionError, type SessionErrorCode } from './errors.ts'
export { type Actor, type Session, type SessionUser } from './lookup/session-record.ts'
export {
  applySessionLimit,
  type SessionLimit,
  type SessionRefusal,
  sessionRefusal,
  setSessionLimit,
} from './session-limit.ts'
export { type Observability } from './metrics/observability.ts'
export { sessionFigures } from './metrics/session-figures.ts'
export { type Revocation, type RevokeTarget } from './revoke/revoke.ts'
export { type Rotation } from './revoke/rotate.ts'
export { carriesSessionCookie, sentTokens } from './cookie/sent-cookies.ts'
export { type SessionsOptions } from './options.ts'
export { createSessions } from './sessions.ts'
export { type Sessions, type SessionStats } from './types.ts'
export { type Settlement, type SettleOptions } from './revoke/settle.ts'
export { type Tier, type Validation } from './validate.ts'
