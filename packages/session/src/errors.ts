export type SessionErrorCode =
  /** More loads wait for PostgreSQL than may. */
  | 'overloaded'
  /** An option is missing or outside its range; the message names it. */
  | 'bad-option'
  /** An argument of a call is not valid; the message names it. */
  | 'bad-argument'
  /** Sessions are checked without memory and Redis, which cannot be trusted at the moment. */
  | 'degraded'
  /** A request has more session cookies than a browser with several tabs and hosts ever sends. */
  | 'too-many-cookies'

/** A broken promise of the environment, or a call that is not valid. */
export class SessionError extends Error {
  override name = 'SessionError'
  readonly code: SessionErrorCode

  constructor(code: SessionErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
