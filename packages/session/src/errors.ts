export type SessionErrorCode =
  /** More loads wait for PostgreSQL than may. */
  'overloaded'

/** What the environment did not hold up to. */
export class SessionError extends Error {
  override name = 'SessionError'
  readonly code: SessionErrorCode

  constructor(code: SessionErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
