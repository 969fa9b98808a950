export type SessionErrorCode =
  /** A check waited too long for its turn to query PostgreSQL. */
  | 'overloaded'
  /** An option is missing or outside its range; the message names it. */
  | 'bad-option'
  /** An argument of a call is not valid; the message names the argument. */
  | 'bad-argument'
  /** Memory and Redis are not trusted at the moment, and PostgreSQL checks all sessions. */
  | 'degraded'
  /** A request has more session cookies than a browser sends. */
  | 'too-many-cookies'

/** A failure of the environment, or a call that is not valid. */
export class SessionError extends Error {
  override name = 'SessionError'
  readonly code: SessionErrorCode

  constructor(code: SessionErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
