import { problem } from '@repo/api'
import type * as z from 'zod/mini'
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
    }
  | { outcome: 'signed-out'; message: string; servedBy: string[] }
  | { outcome: 'forbidden'; message: string; servedBy: string[] }
  | { outcome: 'invalid'; message: string; errors: FieldError[]; servedBy: string[] }
  | { outcome: 'unavailable'; message: string; retryAfterSeconds: number; servedBy: string[] }

export const noAnswer = {
  outcome: 'unavailable',
  message: 'The service did not respond in time.',
  retryAfterSeconds: 3,
  servedBy: [],
} satisfies Answer<never>

/** Parses a response. A body that does not match the schema is `unavailable`. */
export function toAnswer<T>(
  response: Response,
  body: unknown,
  schema: z.ZodMiniType<T>,
): Answer<T> {
  const servedBy = (response.headers.get(instanceHeader) ?? '').split(/,\s*/).filter(Boolean)
  if (response.ok) {
    const parsed = schema.safeParse(body)
    if (!parsed.success)
      return { ...noAnswer, message: 'The service sent an invalid response.', servedBy }
    return {
      outcome: 'ok',
      value: parsed.data,
      servedBy,
      setCookie: response.headers.getSetCookie(),
      settled: settledOf(response.headers.get('x-session-settlement')),
    }
  }

  const details = problem.safeParse(body).data ?? {}
  const message =
    details.detail ??
    details.message ??
    details.title ??
    `The request failed with status ${response.status}.`
  if (response.status === 401) return { outcome: 'signed-out', message, servedBy }
  if (response.status === 403) return { outcome: 'forbidden', message, servedBy }
  if (response.status === 408 || response.status === 429 || response.status >= 500) {
    const retryAfterSeconds = retryAfter(response.headers.get('retry-after'))
    return { outcome: 'unavailable', message, retryAfterSeconds, servedBy }
  }
  return { outcome: 'invalid', message, errors: details.errors ?? [], servedBy }
}

function retryAfter(header: string | null) {
  const seconds = Number(header)
  return header !== null && Number.isFinite(seconds) && seconds > 0 ? Math.ceil(seconds) : 3
}
