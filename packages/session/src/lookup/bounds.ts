import { checkText } from '../checks.ts'

/** In UTF-16 units, as the schemas of sign-up count. */
const MAX_NAME = 100
/** RFC 5321 4.5.3.1.3 */
const MAX_EMAIL = 254

/**
 * The name of a user as sessions and headers carry it. Earlier releases stored names and addresses
 * of any length: unbounded they fill Redis, and headers that no server accepts.
 */
export function boundName(name: string): string {
  checkText('name', name)
  return cut(name, MAX_NAME)
}

/** The e-mail address of a user. What is cut ends in a character that no address has. */
export function boundEmail(email: string): string {
  checkText('email', email)
  return cut(email, MAX_EMAIL)
}

function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`
}
