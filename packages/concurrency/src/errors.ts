export type ConcurrencyErrorCode = 'bad-option' | 'late' | 'overloaded'

/**
 * - `bad-option`: an option or an argument cannot be used; the message names it.
 * - `late`: work did not settle within its deadline.
 * - `overloaded`: a call waited too long for its turn.
 */
export class ConcurrencyError extends Error {
  override name = 'ConcurrencyError'
  readonly code: ConcurrencyErrorCode

  constructor(code: ConcurrencyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const MAX_TASK = 200

/** The longest time that a timer of Node can wait; it fires after 1 ms for a longer one. */
export const MAX_TIMER_MS = 2 ** 31 - 1

/** @throws ConcurrencyError `bad-option` unless `value` is a time from `minMs` that a timer can wait */
export function requireMs(name: string, value: unknown, minMs = 1): void {
  if (typeof value === 'number' && value >= minMs && value <= MAX_TIMER_MS) return
  const range = `a number of milliseconds from ${minMs} to ${MAX_TIMER_MS}`
  throw new ConcurrencyError('bad-option', `${name} must be ${range}, not ${describe(value)}`)
}

/** @throws ConcurrencyError `bad-option` unless `value` is a whole number from 1 */
export function requireWhole(name: string, value: unknown): void {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return
  const range = 'a whole number from 1'
  throw new ConcurrencyError('bad-option', `${name} must be ${range}, not ${describe(value)}`)
}

/** @throws ConcurrencyError `bad-option` unless `value` is a function */
export function requireFunction(name: string, value: unknown): void {
  if (typeof value === 'function') return
  throw new ConcurrencyError('bad-option', `${name} must be a function, not ${describe(value)}`)
}

/** The options as they are at the call. @throws ConcurrencyError `bad-option` unless they can be read */
export function readOptions<O extends object>(options: O): O {
  try {
    if (typeof options === 'object' && options !== null) return { ...options }
  } catch {
    // A getter threw: refused below.
  }
  throw new ConcurrencyError('bad-option', 'options must be an object that can be read')
}

/** @throws ConcurrencyError `bad-option` unless `task` can be a name in a log and a metric */
export function requireTask(task: unknown): void {
  if (typeof task === 'string' && task.length <= MAX_TASK && task.isWellFormed()) return
  throw new ConcurrencyError('bad-option', `task must be a name of at most ${MAX_TASK} characters`)
}

/** @throws ConcurrencyError `bad-option` unless `log` is absent or can log */
export function requireLog(log: unknown): void {
  if (log === undefined || hasMethods(log, ['info', 'warn'])) return
  throw new ConcurrencyError('bad-option', 'log must be a logger with the methods info and warn')
}

function hasMethods(value: unknown, methods: readonly string[]): boolean {
  try {
    if (typeof value !== 'object' || value === null) return false
    return methods.every((method) => typeof Reflect.get(value, method) === 'function')
  } catch {
    return false
  }
}

function describe(value: unknown): string {
  return typeof value === 'number' ? String(value) : typeof value
}
