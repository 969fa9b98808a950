import { SessionError } from './errors.ts'

/** In UTF-16 units: ids and tokens of Better Auth have 32. */
const MAX_ID = 256

/** Whether a text can be an id or a token: PostgreSQL refuses NUL, and UTF-8 has no lone surrogates. */
function isId(value: unknown): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > MAX_ID) return false
  return value.isWellFormed() && !value.includes('\0')
}

/** @throws SessionError `bad-argument` */
export function checkId(name: string, value: unknown): void {
  if (isId(value)) return
  const message = `${name} must be a text of 1 to ${MAX_ID} characters without NUL`
  throw new SessionError('bad-argument', message)
}

/** @throws SessionError `bad-argument` */
export function checkText(name: string, value: unknown): void {
  if (typeof value !== 'string') throw new SessionError('bad-argument', `${name} must be a text`)
}

/** @throws SessionError `bad-argument` unless the value is undefined or one of the texts */
export function checkOneOf(name: string, value: unknown, texts: readonly string[]): void {
  if (value === undefined || (typeof value === 'string' && texts.includes(value))) return
  throw new SessionError('bad-argument', `${name} must be ${texts.join(' or ')}`)
}

/** A range of numbers, both ends included. */
export interface Range {
  min: number
  max: number
  isInteger?: boolean
}

/** @throws SessionError with the code unless the value is a number in the range */
export function checkNumber(
  code: 'bad-option' | 'bad-argument',
  name: string,
  value: unknown,
  { min, max, isInteger = false }: Range,
): void {
  const isNumber = typeof value === 'number' && value >= min && value <= max
  if (isNumber && (!isInteger || Number.isSafeInteger(value))) return
  const kind = isInteger ? 'an integer' : 'a number'
  throw new SessionError(code, `${name} must be ${kind} from ${min} to ${max}`)
}

/**
 * Reads the properties of an object once, so that a getter cannot return another value later.
 *
 * @throws SessionError with the code if the value is not an object, or a getter throws
 */
export function readOnce<T extends object>(
  code: 'bad-option' | 'bad-argument',
  name: string,
  value: T,
): T {
  try {
    // A function, null and an array have no options.
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch (cause) {
    throw new SessionError(code, `${name} cannot be read`, { cause })
  }
  throw new SessionError(code, `${name} must be an object`)
}
