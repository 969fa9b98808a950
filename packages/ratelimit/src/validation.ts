import { RateLimitError, type RateLimitErrorCode } from './errors.ts'

/** The number of policies of one request, at most: they fit into one batch. */
export const MAX_POLICIES = 100

type InputCode = Extract<RateLimitErrorCode, 'bad-option' | 'bad-argument'>

/** A check of one option or argument: its name, and what it must be. */
interface Expected {
  name: string
  /** Completes "must be". */
  must: string
  isValid: (value: unknown) => boolean
}

/** A short text for a value in an error message. It calls no method of the value. */
export function textOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value.length > 40 ? `a string of ${value.length} characters` : JSON.stringify(value)
    case 'number':
    case 'bigint':
    case 'boolean':
    case 'undefined':
      return String(value)
    default:
      return value === null ? 'null' : `a value of type ${typeof value}`
  }
}

/** @throws RateLimitError with this code; the message names the option or argument */
export function requireValid(code: InputCode, value: unknown, expected: Expected): void {
  const { name, must, isValid } = expected
  let cause: unknown
  try {
    if (isValid(value)) return
  } catch (error) {
    cause = error
  }
  throw new RateLimitError(code, `${name} must be ${must}, not ${textOf(value)}`, { cause })
}

/** @throws RateLimitError `bad-option`; the message names the first option that is not valid */
export function requireOptions(
  options: unknown,
  { required, optional }: { required: readonly Expected[]; optional: readonly Expected[] },
): void {
  requireValid('bad-option', options, { name: 'options', must: 'an object', isValid: isObject })
  for (const expected of [...required, ...optional]) {
    const value = readOption(options, expected.name)
    const isOptional = value === undefined && optional.includes(expected)
    if (!isOptional) requireValid('bad-option', value, expected)
  }
}

function readOption(options: unknown, name: string): unknown {
  try {
    return isObject(options) ? options[name] : undefined
  } catch (cause) {
    throw new RateLimitError('bad-option', `${name} cannot be read`, { cause })
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

export function anInteger(name: string, from: number, to: number): Expected {
  return {
    name,
    must: `an integer from ${from} to ${to}`,
    isValid: (value) => Number.isInteger(value) && Number(value) >= from && Number(value) <= to,
  }
}

export function aString(name: string): Expected {
  return { name, must: 'a string', isValid: (value) => typeof value === 'string' }
}

/** A time in the range of a timer of Node, in ms. */
export function aTime(name: string): Expected {
  return anInteger(name, 0, 2 ** 31 - 1)
}

export function aFunction(name: string): Expected {
  return { name, must: 'a function', isValid: (value) => typeof value === 'function' }
}

export function aClock(name: string): Expected {
  return { name, must: 'a function that returns a number of milliseconds', isValid: isClock }
}

function isClock(value: unknown): boolean {
  return typeof value === 'function' && isFiniteNumber(value())
}

/** Whether a callback returned a number. A rejected promise must not end the process. */
export function isFiniteNumber(value: unknown): value is number {
  if (value instanceof Promise) value.catch(() => 'the callback is not valid')
  return Number.isFinite(value)
}

export const anIpv6Prefix: Expected = {
  name: 'ipv6Prefix',
  must: '48, 56 or 64',
  isValid: (value) => value === 48 || value === 56 || value === 64,
}

export const policyNames: Expected = {
  name: 'policies',
  must: 'at most 100 different names of policies',
  isValid: (value) =>
    Array.isArray(value) &&
    value.length <= MAX_POLICIES &&
    value.every((name) => typeof name === 'string') &&
    new Set(value).size === value.length,
}

/** An object with these methods. */
export function anObjectWith(name: string, methods: readonly string[]): Expected {
  return {
    name,
    must: `an object with ${methods.join(', ')}`,
    isValid: (value) =>
      isObject(value) && methods.every((method) => typeof value[method] === 'function'),
  }
}

/** Reads an argument. @throws RateLimitError `bad-argument` when it cannot be read */
export function readArgument<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw toArgumentError(name, error)
  }
}

/** The error for an argument that cannot be read. A coded error stays as it is. */
export function toArgumentError(name: string, error: unknown): RateLimitError {
  if (error instanceof RateLimitError) return error
  return new RateLimitError('bad-argument', `${name} cannot be read`, { cause: error })
}

/** About one year. */
const MAX_BLOCK_MS = 31_622_400_000

/** @throws RateLimitError `bad-duration` */
export function checkDuration(forMs: number): void {
  if (typeof forMs === 'number' && forMs >= 1 && forMs <= MAX_BLOCK_MS) return
  const message = `a block is 1 to ${MAX_BLOCK_MS} ms, not ${textOf(forMs)}`
  throw new RateLimitError('bad-duration', message)
}

/** The options of a report with their defaults. @throws RateLimitError `bad-argument` */
export function reportOptions(options: { minutes?: number; top?: number }) {
  requireValid('bad-argument', options, { name: 'options', must: 'an object', isValid: isObject })
  const { minutes = 5, top = 20 } = readArgument('options', () => ({ ...options }))
  requireValid('bad-argument', minutes, anInteger('minutes', 1, 60))
  requireValid('bad-argument', top, anInteger('top', 1, 1_000))
  return { minutes, top }
}
