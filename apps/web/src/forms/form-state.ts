import type { Answer } from '../api/answer.ts'

/**
 * The state of a form after its action: the reason for a refusal, and the values that were typed.
 */
export interface FormState {
  message: string | null
  errors: Record<string, string>
  values: Record<string, string>
  /** The result of a successful action, where the page keeps the form. */
  result?: string
  /** The key of the next attempt, where the form carries one. */
  key?: string
  /** The page on which the user can continue after the refusal. */
  next?: { href: string; text: string }
}

export const untouched: FormState = { message: null, errors: {}, values: {} }

export function textOf(form: FormData, name: string) {
  const value = form.get(name)
  return typeof value === 'string' ? value : ''
}

export function refused(
  answer: Exclude<Answer<unknown>, { outcome: 'ok' }>,
  values: Record<string, string>,
): FormState {
  if (answer.outcome === 'unavailable') {
    const message = `${answer.message} Try again in ${answer.retryAfterSeconds} s.`
    return { message, errors: {}, values }
  }
  const errors = answer.outcome === 'invalid' ? answer.errors : []
  const byField = Object.fromEntries(errors.map(({ field, message }) => [field, message]))
  return { message: answer.message, errors: byField, values }
}
