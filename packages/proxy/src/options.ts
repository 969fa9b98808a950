/** An option or an argument cannot be used. The message names it. */
export class ProxyError extends Error {
  override name = 'ProxyError'
  readonly code = 'bad-option'
}

export const MAX_TIMER_MS = 2 ** 31 - 1
export const MAX_ITEMS = 10_000
const MAX_BYTES = 2 ** 40

const HOOKS = [
  'pickContext',
  'trace',
  'onTry',
  'requestHeaders',
  'responseHeaders',
  'onProblem',
  'mayRepeat',
  'hold',
  'clientOf',
] as const

type Hook = (typeof HOOKS)[number]

/** Options as callers without types pass them. */
export type Unchecked<Option extends string> = Partial<Record<Option, unknown>>

/** Returns a copy of the options. @throws ProxyError when they cannot be read */
export function readOptions<O extends object>(options: O): O {
  try {
    if (typeof options === 'object' && options !== null) return { ...options }
  } catch {
    // A getter threw an error: the options are refused below.
  }
  return refuse('options', 'an object that can be read')
}

/** @throws ProxyError that names the option */
export function requireProxyOptions(
  options: Unchecked<
    | 'upstream'
    | 'forwarded'
    | 'dropRequestHeaders'
    | 'maxBodyBytes'
    | 'retries'
    | 'bufferBytes'
    | 'bodyGuard'
    | 'deadlineMs'
    | Hook
  >,
): void {
  const { upstream, forwarded, dropRequestHeaders, maxBodyBytes, retries } = options
  if (typeof upstream !== 'function' && !isUpstream(upstream)) {
    refuse('upstream', 'made by createUpstream, or a function that returns one')
  }
  if (forwarded !== undefined && forwarded !== 'set' && forwarded !== 'append') {
    refuse('forwarded', 'set or append')
  }
  const names = dropRequestHeaders === undefined ? [] : dropRequestHeaders
  if (!Array.isArray(names) || names.length > MAX_ITEMS || !names.every(isName)) {
    refuse('dropRequestHeaders', 'a list of names of headers')
  }
  if (maxBodyBytes !== Infinity) requireInteger('maxBodyBytes', maxBodyBytes, 0, 2 ** 53)
  requireInteger('retries', retries, 0, 100)
  requireInteger('bufferBytes', options.bufferBytes, 0, MAX_BYTES)
  const guard = options.bodyGuard
  if (guard !== undefined && typeof Reflect.get(Object(guard), 'reserve') !== 'function') {
    refuse('bodyGuard', 'a BodyGuard')
  }
  if (typeof options.deadlineMs !== 'function') {
    requireInteger('deadlineMs', options.deadlineMs, 1, MAX_TIMER_MS)
  }
  for (const option of HOOKS) {
    requireFunction(option, options[option])
  }
}

/** @throws ProxyError that names the option */
export function requireBodyLimits(
  limits: Unchecked<'maxBufferedBytes' | 'streamedBodiesPerClient' | 'slowBodies'>,
): void {
  const { maxBufferedBytes, streamedBodiesPerClient, slowBodies = {} } = limits
  requireInteger('maxBufferedBytes', maxBufferedBytes, 0, MAX_BYTES)
  requireInteger('streamedBodiesPerClient', streamedBodiesPerClient, 0, 1_000_000)
  const { bytesPerSecond, windowMs, perClient } = readObject('slowBodies', slowBodies)
  requireInteger('slowBodies.bytesPerSecond', bytesPerSecond, 0, MAX_BYTES)
  requireInteger('slowBodies.windowMs', windowMs, 1, MAX_TIMER_MS)
  requireInteger('slowBodies.perClient', perClient, 0, 1_000_000)
}

/** @throws ProxyError unless these are raw headers and the name is text */
export function requireHeaders(headers: unknown, name: unknown): void {
  if (!Array.isArray(headers) || !headers.every((item) => typeof item === 'string')) {
    refuse('headers', 'a list of names and values')
  }
  if (typeof name !== 'string') refuse('name', 'the name of a header')
}

export function refuse(option: string, expected: string): never {
  throw new ProxyError(`${option} must be ${expected}`)
}

export function readObject(option: string, value: unknown): Record<string, unknown> {
  try {
    if (typeof value === 'object' && value !== null) return { ...value }
  } catch {
    // A getter threw an error: the options are refused below.
  }
  return refuse(option, 'an object that can be read')
}

export function requireNumber(option: string, value: unknown, min: number, max: number): void {
  if (value === undefined || (typeof value === 'number' && value >= min && value <= max)) return
  refuse(option, `a number from ${min} to ${max}`)
}

export function requireInteger(option: string, value: unknown, min: number, max: number): void {
  if (value !== undefined && !Number.isInteger(value)) {
    refuse(option, `a whole number from ${min} to ${max}`)
  }
  requireNumber(option, value, min, max)
}

export function requireFunction(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') refuse(option, 'a function')
}

function isName(name: unknown): boolean {
  return typeof name === 'string' && /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/.test(name)
}

export function isOrigin(origin: unknown): boolean {
  if (typeof origin !== 'string' || origin.length > 2_000 || !URL.canParse(origin)) return false
  const { protocol, pathname, search, hash } = new URL(origin)
  return /^https?:$/.test(protocol) && pathname === '/' && search === '' && hash === ''
}

function isUpstream(upstream: unknown): boolean {
  try {
    if (typeof upstream !== 'object' || upstream === null) return false
    return typeof Reflect.get(upstream, 'pick') === 'function'
  } catch {
    return false
  }
}
