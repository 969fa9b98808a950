const NETWORK = new Set([
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
])
/**
 * Classes 08 (connection) and 53 (resources), and of 57 what ends a statement or a session from
 * outside: statement_timeout, a stopping or starting server, idle_session_timeout.
 */
const SQLSTATE = /^(08|53)|^57(014|P0[1235])$/
/** What pg 8 and its pool say in errors without a code. */
const MESSAGE =
  /^(Query read timeout|timeout expired|timeout exceeded when trying to connect|Connection terminated|Client has encountered a connection error|Client was closed and is not queryable|Cannot use a pool after calling end)/

/**
 * Whether an error means that the database is away (refused, reset, restarting, full or silent
 * past its deadline), as opposed to a statement that it refused. Looks through `cause`. Whether the
 * statement was executed is unknown.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError && error.errors.some(isDatabaseUnavailable)) return true
  const code = 'code' in error ? String(error.code) : undefined
  if (code === undefined ? MESSAGE.test(error.message) : NETWORK.has(code) || SQLSTATE.test(code)) {
    return true
  }
  return isDatabaseUnavailable(error.cause)
}
