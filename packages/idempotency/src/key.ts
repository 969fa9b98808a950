import { IdempotencyError } from './errors.ts'

const MAX_KEY = 255

/** Visible ASCII without a comma, which joins two headers of the same name (RFC 9110 5.2). */
const KEY = /^[\x21-\x2b\x2d-\x7e]+$/
/** A string of a structured field (RFC 9651 3.3.3): quotes and backslashes inside it are escaped. */
const STRUCTURED = /^"(?:[^"\\]|\\["\\])*"$/

/**
 * Reads the values of the header `Idempotency-Key`. A bare key and the same key as a string of a
 * structured field (draft-ietf-httpapi-idempotency-key-header-07) are one key.
 *
 * @param values the value, or all values if the header was sent more than once
 * @returns the key, 1 to 255 visible ASCII characters; undefined: there is no such header
 * @throws IdempotencyError `bad-key` whose message names the rule
 */
export function parseKey(
  values: string | readonly string[] | null | undefined,
): string | undefined {
  if (values === null || values === undefined) return undefined
  if (typeof values === 'string') return parseValue(values)
  if (!Array.isArray(values)) throw broken('must be text')
  if (values.length > 1) throw broken('must be sent once')
  return values.length === 0 ? undefined : parseValue(values[0])
}

function parseValue(value: unknown): string {
  if (typeof value !== 'string') throw broken('must be text')
  // Two characters of quotes, and at most one escape for each character.
  if (value.length > 2 * MAX_KEY + 2) throw broken(TOO_LONG)
  const key = value.startsWith('"') ? unquote(value) : value
  if (key === '') throw broken('must not be empty')
  if (key.length > MAX_KEY) throw broken(TOO_LONG)
  if (KEY.test(key)) return key
  if (key.includes(',')) throw broken('must be sent once, and must have no comma')
  if (/\s/.test(key)) throw broken('must have no spaces')
  throw broken('must have only visible ASCII characters')
}

const TOO_LONG = `must have at most ${MAX_KEY} characters`

function unquote(value: string): string {
  if (STRUCTURED.test(value)) return value.slice(1, -1).replace(/\\(.)/g, '$1')
  if (value.includes(',')) throw broken('must be sent once, and must have no comma')
  throw broken('must end with the quote with which it begins, and escape quotes inside it')
}

function broken(rule: string): IdempotencyError {
  return new IdempotencyError('bad-key', `Idempotency-Key ${rule}.`)
}
