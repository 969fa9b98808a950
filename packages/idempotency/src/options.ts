import { IdempotencyError, type IdempotencyErrorCode } from './errors.ts'

type InputCode = Extract<IdempotencyErrorCode, 'bad-option' | 'bad-argument'>

/** The longest time that a timer of Node can wait. */
export const MAX_MS = 2 ** 31 - 1

/** @throws IdempotencyError whose message names the value that is not valid */
export function refuse(code: InputCode, name: string, must: string, cause?: unknown): never {
  throw new IdempotencyError(code, `${name} must be ${must}`, { cause })
}

/** The fields of an object as they are at the call. @throws IdempotencyError with this code */
export function readFields<O extends object>(code: InputCode, name: string, value: O): O {
  try {
    if (typeof value === 'object' && value !== null) return { ...value }
  } catch (cause) {
    refuse(code, name, 'an object that can be read', cause)
  }
  return refuse(code, name, 'an object')
}

/** @throws IdempotencyError `bad-option` */
export function requireWhole(name: string, value: unknown, from: number, to: number): void {
  if (Number.isSafeInteger(value) && Number(value) >= from && Number(value) <= to) return
  refuse('bad-option', name, `a whole number from ${from} to ${to}`)
}

/** @throws IdempotencyError with this code */
export function requireFunction(code: InputCode, name: string, value: unknown): void {
  if (typeof value !== 'function') refuse(code, name, 'a function')
}

/** @throws IdempotencyError with this code, unless the value has all these methods */
export function requireMethods(
  code: InputCode,
  name: string,
  value: unknown,
  methods: readonly string[],
): void {
  try {
    const holder = Object(value)
    if (methods.every((method) => typeof Reflect.get(holder, method) === 'function')) return
  } catch (cause) {
    refuse(code, name, 'an object that can be read', cause)
  }
  refuse(code, name, `an object with the methods ${methods.join(', ')}`)
}

/** @throws IdempotencyError `bad-argument` unless the value is well-formed text of 1 to `max` characters */
export function requireText(name: string, value: unknown, max: number): void {
  if (typeof value === 'string' && value !== '' && value.length <= max && value.isWellFormed()) {
    return
  }
  refuse('bad-argument', name, `well-formed text of 1 to ${max} characters`)
}
