/** An option or an argument is invalid. The message names it. */
export class DatabaseOptionError extends Error {
  override name = 'DatabaseOptionError'
  readonly code = 'bad-option'
}

/** The longest time of a timer in Node, which fires after 1 ms for a longer one. */
const MAX_TIMER_MS = 2 ** 31 - 1
const MAX_CONNECTIONS = 262_143

/** Returns a copy of the options. @throws DatabaseOptionError when they cannot be read */
export function readOptions<O extends object>(option: string, options: O): O {
  try {
    if (typeof options === 'object' && options !== null) return { ...options }
  } catch {
    // A getter threw an error: the options are refused below.
  }
  return refuse(option, 'an object that can be read')
}

/** @throws DatabaseOptionError that names the option */
export function refuse(option: string, expected: string): never {
  throw new DatabaseOptionError(`${option} must be ${expected}`)
}

/** @throws DatabaseOptionError unless it is absent, or a time that a timer can wait */
export function requireMs(option: string, ms: unknown, minMs = 1): void {
  if (ms === undefined || (typeof ms === 'number' && ms >= minMs && ms <= MAX_TIMER_MS)) return
  refuse(option, `a number of milliseconds from ${minMs} to ${MAX_TIMER_MS}`)
}

/** @throws DatabaseOptionError unless it is a number of connections */
export function requireCount(option: string, count: unknown, min: number): void {
  const isCount = typeof count === 'number' && Number.isInteger(count)
  if (isCount && count >= min && count <= MAX_CONNECTIONS) return
  refuse(option, `a whole number from ${min} to ${MAX_CONNECTIONS}`)
}

/** @throws DatabaseOptionError unless it is text that PostgreSQL can store */
export function requireText(option: string, text: unknown): void {
  const isText = typeof text === 'string' && text !== '' && text.length <= 10_000
  if (isText && text.isWellFormed() && !text.includes('\0')) return
  refuse(option, 'text of at most 10,000 characters without a zero byte')
}

/** @throws DatabaseOptionError unless it is the URL of a database */
export function requireUrl(option: string, url: unknown): void {
  requireText(option, url)
  if (typeof url === 'string' && /^postgres(ql)?:\/\//.test(url) && URL.canParse(url)) return
  refuse(option, 'a URL such as postgres://user:password@host:5432/database')
}

/** @throws DatabaseOptionError unless it is an object with all these methods */
export function requireMethods(option: string, value: unknown, methods: readonly string[]): void {
  if (methods.every((method) => hasMethod(value, method))) return
  refuse(option, `an object with the methods ${methods.join(', ')}`)
}

function hasMethod(value: unknown, method: string): boolean {
  try {
    return typeof Reflect.get(Object(value), method) === 'function'
  } catch {
    return false // A getter threw.
  }
}
