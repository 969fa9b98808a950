import type { CallResult } from '@repo/api/client'
import { type Settled, settledOf } from '../format/settled.ts'
import { instanceHeader } from './headers.ts'

interface FieldError {
  field: string
  message: string
}

/** Every kind of response of the API. The compiler makes a page handle each of them. */
export type Answer<T> =
  | {
      outcome: 'ok'
      value: T
      servedBy: string[]
      setCookie: string[]
      settled: Settled | null
      /** The response of an earlier attempt with the same key: this one changed nothing. */
      isReplay: boolean
    }
  | { outcome: 'signed-out'; message: string; servedBy: string[] }
  | { outcome: 'forbidden'; message: string; servedBy: string[] }
  | {
      outcome: 'invalid'
      message: string
      errors: FieldError[]
      /** The name of the problem, such as `idempotency-key-reused`; empty if it has no name. */
      code: string
      retryAfterSeconds: number
      servedBy: string[]
    }
  | { outcome: 'unavailable'; message: string; retryAfterSeconds: number; servedBy: string[] }

export const noAnswer = {
  outcome: 'unavailable',
  message: 'The service did not respond in time.',
  retryAfterSeconds: 3,
  servedBy: [],
} satisfies Answer<never>

const PROBLEM = 'urn:threefold:problem:'
/** The detail of this problem is about keys, which a page does not show. */
const UNDECIDED = 'The service is unavailable for a moment.'

/** The answer of the API. A success that does not match its schema is `unavailable`. */
export function toAnswer<T>(result: CallResult<T>): Answer<T> {
  const { status, headers } = result
  const servedBy = (headers.get(instanceHeader) ?? '').split(/,\s*/).filter(Boolean)
  if (result.outcome === 'invalid')
    return { ...noAnswer, message: 'The service sent an invalid response.', servedBy }
  if (result.outcome === 'ok') {
    const settled = settledOf(headers.get('x-session-settlement'))
    return {
      outcome: 'ok',
      value: result.value,
      servedBy,
      setCookie: headers.getSetCookie(),
      settled,
      isReplay: headers.get('idempotency-replayed') === 'true',
    }
  }

  const { detail, message: reason, title, errors = [], type = '' } = result.problem
  const message = detail ?? reason ?? title ?? `The request failed with status ${status}.`
  if (status === 401) return { outcome: 'signed-out', message, servedBy }
  if (status === 403) return { outcome: 'forbidden', message, servedBy }
  const retryAfterSeconds = retryAfter(headers.get('retry-after'))
  const code = type.startsWith(PROBLEM) ? type.slice(PROBLEM.length) : ''
  if (status === 408 || status === 429 || status >= 500) {
    const text = code === 'idempotency-unavailable' ? UNDECIDED : message
    return { outcome: 'unavailable', message: text, retryAfterSeconds, servedBy }
  }
  return { outcome: 'invalid', message, errors, code, retryAfterSeconds, servedBy }
}

/** The answer of a call whose value no page reads: any body of a success is `ok`. */
export function toAnswerWithoutValue(result: CallResult<unknown>): Answer<unknown> {
  return toAnswer(
    result.outcome === 'invalid' ? { ...result, outcome: 'ok', value: undefined } : result,
  )
}

function retryAfter(header: string | null) {
  const seconds = Number(header)
  return header !== null && Number.isFinite(seconds) && seconds > 0 ? Math.ceil(seconds) : 3
}
