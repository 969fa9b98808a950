import { z } from 'zod'

/** RFC 5321 4.5.3.1: a path has at most 256 octets, including two angle brackets. */
const MAX_EMAIL = 254
/** RFC 5321 4.5.3.1.1 */
const MAX_LOCAL_PART = 64
/** The longest password that Better Auth hashes. */
const MAX_PASSWORD = 128
const TEN_YEARS_S = 315_360_000

// Control characters, line and paragraph separators, and marks that change the text direction.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/u

/** Text that a page shows and PostgreSQL stores: trimmed, with at least one visible character. */
function text(max: number) {
  return z
    .string()
    .trim()
    .min(1)
    .max(max)
    .refine((value) => value.isWellFormed() && !UNPRINTABLE.test(value), {
      error: 'must not contain control characters',
    })
}

export const name = text(100)

/** Trimmed and in lower case, as it is stored and counted. */
export const email = z
  .string()
  .trim()
  .toLowerCase()
  .max(MAX_EMAIL, { abort: true })
  .pipe(
    z.email().refine((value) => value.lastIndexOf('@') <= MAX_LOCAL_PART, {
      error: `must have at most ${MAX_LOCAL_PART} characters before the @`,
    }),
  )

export const password = z.string().min(1).max(MAX_PASSWORD)

/**
 * An https URL, or a path on this site. Every other scheme can run code or read the page's data.
 */
export const image = z
  .string()
  .max(2_048, { abort: true })
  .refine(isImage, { error: 'must be an https URL or a path that begins with one /' })

export const userId = z.string().regex(/^[\w.-]{1,128}$/, { error: 'must be the id of a user' })

export const role = z.enum(['user', 'admin'])

/** A token as it was issued: visible ASCII. */
export const token = z.string().regex(/^[\x21-\x7e]{1,256}$/, { error: 'must be a token' })

export const banReason = text(500)

/** In seconds. */
export const banExpiresIn = z.int().min(1).max(TEN_YEARS_S)

export const searchValue = text(MAX_EMAIL)

export const flag = z.enum(['true', 'false'])

/** An integer in a query. */
export function integer(min: number, max: number) {
  return z.string().refine((value) => isInteger(value, min, max), {
    error: `must be an integer from ${min} to ${max}`,
  })
}

function isInteger(value: string, min: number, max: number): boolean {
  return /^\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max
}

function isImage(value: string): boolean {
  if (!value.isWellFormed() || /[\s\\]/.test(value) || UNPRINTABLE.test(value)) return false
  // Two slashes begin the name of another host.
  if (value.startsWith('/')) return !value.startsWith('//')
  const url = URL.parse(value)
  const isHttps = url?.protocol === 'https:' && /^https:\/\//i.test(value)
  return isHttps && url.username === '' && url.password === ''
}
