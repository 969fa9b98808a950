export type ConcurrencyErrorCode = 'bad-option' | 'late'

/**
 * - `bad-option`: an option or an argument cannot be used; the message names it.
 * - `late`: work did not settle within its deadline.
 */
export class ConcurrencyError extends Error {
  override name = 'ConcurrencyError'
  readonly code: ConcurrencyErrorCode

  constructor(code: ConcurrencyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The longest time that a timer of Node can wait; it fires after 1 ms for a longer one. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** @throws ConcurrencyError `bad-option` unless `value` is a time from `minMs` that a timer can wait */
export function requireMs(name: string, value: unknown, minMs = 1): void {
  if (typeof value === 'number' && value >= minMs && value <= MAX_TIMER_MS) return
  const range = `a number of milliseconds from ${minMs} to ${MAX_TIMER_MS}`
  throw new ConcurrencyError('bad-option', `${name} must be ${range}, not ${describe(value)}`)
}

/** @throws ConcurrencyError `bad-option` unless `value` is a function */
export function requireFunction(name: string, value: unknown): void {
  if (typeof value === 'function') return
  throw new ConcurrencyError('bad-option', `${name} must be a function, not ${describe(value)}`)
}

function describe(value: unknown): string {
  return typeof value === 'number' ? String(value) : typeof value
}
