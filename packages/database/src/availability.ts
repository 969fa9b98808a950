const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
])
/** Classes 08 (connection), 53 (resources), and of 57 the ones that a stopping or starting server sends. */
const SQLSTATE = /^(08|53)|^57P0[123]$/
const MESSAGE = /timeout|terminated|Connection ended|Cannot use a pool/i

/**
 * Whether an error means that the database is away (refused, reset, restarting, full or silent
 * past its deadline), as opposed to a statement that it refused. Looks through `cause`.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError && error.errors.some(isDatabaseUnavailable)) return true
  const code = 'code' in error ? String(error.code) : undefined
  if (code !== undefined && (NETWORK.has(code) || SQLSTATE.test(code))) return true
  if (code === undefined && MESSAGE.test(error.message) && !error.cause) return true
  return isDatabaseUnavailable(error.cause)
}
