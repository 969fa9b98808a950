import type { Answer } from '../api/answer.ts'

/** What a form shows after its action refused: the reason, and what the person had typed. */
export interface FormState {
  message: string | null
  errors: Record<string, string>
  values: Record<string, string>
  /** What came of it, where the form stays. */
  done?: string
  /** The key of the next try, where the form carries one. */
  key?: string
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
    const message = `${answer.message} Nothing is lost: try again in ${answer.retryAfterSeconds} s.`
    return { message, errors: {}, values }
  }
  const errors = answer.outcome === 'invalid' ? answer.errors : []
  const byField = Object.fromEntries(errors.map(({ field, message }) => [field, message]))
  return { message: answer.message, errors: byField, values }
}
