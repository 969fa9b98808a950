import { problem } from '@repo/api'
import type * as z from 'zod/mini'
import { type Settled, settledOf } from '../format/settled.ts'
import { instanceHeader } from './headers.ts'

interface FieldError {
  field: string
  message: string
}

/** Everything that the API can say, so that a page handles each case or does not compile. */
export type Answer<T> =
  | {
      outcome: 'ok'
      value: T
      servedBy: string[]
      setCookie: string[]
      settled: Settled | null
    }
  | { outcome: 'signed-out'; message: string; servedBy: string[] }
  | { outcome: 'forbidden'; message: string; servedBy: string[] }
  | { outcome: 'invalid'; message: string; errors: FieldError[]; servedBy: string[] }
  | { outcome: 'unavailable'; message: string; retryAfterSeconds: number; servedBy: string[] }

export const noAnswer = {
  outcome: 'unavailable',
  message: 'No answer in time.',
  retryAfterSeconds: 3,
  servedBy: [],
} satisfies Answer<never>

/** Turns a response into the answer it means. A body that breaks the contract is `unavailable`. */
export function toAnswer<T>(
  response: Response,
  body: unknown,
  schema: z.ZodMiniType<T>,
): Answer<T> {
  const servedBy = (response.headers.get(instanceHeader) ?? '').split(/,\s*/).filter(Boolean)
  if (response.ok) {
    const parsed = schema.safeParse(body)
    if (!parsed.success) return { ...noAnswer, message: 'The answer made no sense.', servedBy }
    return {
      outcome: 'ok',
      value: parsed.data,
      servedBy,
      setCookie: response.headers.getSetCookie(),
      settled: settledOf(response.headers.get('x-session-settlement')),
    }
  }

  const said = problem.safeParse(body).data ?? {}
  const message = said.detail ?? said.message ?? said.title ?? `Refused (${response.status}).`
  if (response.status === 401) return { outcome: 'signed-out', message, servedBy }
  if (response.status === 403) return { outcome: 'forbidden', message, servedBy }
  if (response.status === 408 || response.status === 429 || response.status >= 500) {
    const retryAfterSeconds = retryAfter(response.headers.get('retry-after'))
    return { outcome: 'unavailable', message, retryAfterSeconds, servedBy }
  }
  return { outcome: 'invalid', message, errors: said.errors ?? [], servedBy }
}

function retryAfter(header: string | null) {
  const seconds = Number(header)
  return header !== null && Number.isFinite(seconds) && seconds > 0 ? Math.ceil(seconds) : 3
}
