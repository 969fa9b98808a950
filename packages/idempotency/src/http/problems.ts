import { STATUS_CODES } from 'node:http'
import { IdempotencyError } from '../errors.ts'
import { refuse } from '../options.ts'
import type { Finished } from '../types.ts'

/** The problem of a request. It has the shape of the problem options of `@repo/service`. */
export interface IdempotencyProblem {
  readonly status: number
  /** The type of the problem is `urn:threefold:problem:<code>`. */
  readonly code: string
  readonly detail: string
  /** Seconds; sent as Retry-After. */
  readonly retryAfter?: number
}

/** The problem of a request without a key, where a key is required. */
export const KEY_MISSING: IdempotencyProblem = {
  status: 400,
  code: 'idempotency-key-missing',
  detail: 'This request needs a header Idempotency-Key: 1 to 255 visible ASCII characters.',
}

/** The problem of a request whose body is too large to be compared. */
export function bodyTooLarge(maxBodyBytes: number): IdempotencyProblem {
  const detail = `The body must be at most ${maxBodyBytes} bytes.`
  return { status: 413, code: 'body-too-large', detail }
}

/** The problem of a conflict: 409, with the time after which the lease of the first attempt has ended. */
function inFlight(retryAfterMs: number): IdempotencyProblem {
  const retryAfter = Math.max(1, Math.ceil(retryAfterMs / 1_000))
  const detail = 'A request with this key is in progress. Send it again with the same key.'
  return { status: 409, code: 'idempotency-in-flight', detail, retryAfter }
}

const KEY_REUSED: IdempotencyProblem = {
  status: 422,
  code: 'idempotency-key-reused',
  detail: 'This key belongs to another request. Use a key for one method, path, query and body.',
}

/** The problem while the store does not decide. */
export const UNAVAILABLE: IdempotencyProblem = {
  status: 503,
  code: 'idempotency-unavailable',
  detail: 'Requests with a key cannot run now. Send it again with the same key.',
  retryAfter: 1,
}

const UNREADABLE: IdempotencyProblem = {
  ...UNAVAILABLE,
  detail: 'The response to this key cannot be read here. Send the request again with the same key.',
}

/**
 * Returns the problem of an outcome or an error; undefined: it is a response, or the error is a defect
 * of this app, which is not described to a client.
 *
 * | outcome or code | status |
 * | --- | --- |
 * | `conflict`, `lost` | 409 with Retry-After |
 * | `mismatch` | 422 |
 * | `bad-key` | 400 |
 * | `unavailable`, `closed`, `unknown-format`, `unreadable` | 503 with Retry-After |
 *
 * @throws IdempotencyError `bad-argument`
 */
export function problemOf(result: Finished | IdempotencyError): IdempotencyProblem | undefined {
  if (result instanceof IdempotencyError) return problemOfError(result)
  let outcome: unknown
  let retryAfterMs: unknown
  try {
    ;({ outcome, retryAfterMs } = { retryAfterMs: 0, ...result })
  } catch (cause) {
    refuse('bad-argument', 'result', 'an outcome that can be read', cause)
  }
  if (outcome === 'mismatch') return KEY_REUSED
  if (outcome !== 'conflict') return undefined
  return inFlight(Number.isFinite(retryAfterMs) ? Number(retryAfterMs) : 0)
}

function problemOfError({ code, message }: IdempotencyError): IdempotencyProblem | undefined {
  switch (code) {
    case 'bad-key':
      return { status: 400, code: 'idempotency-key-malformed', detail: message }
    case 'lost':
      return inFlight(0)
    case 'unavailable':
    case 'closed':
      return UNAVAILABLE
    case 'unknown-format':
    case 'unreadable':
      return UNREADABLE
    default:
      return undefined
  }
}

/** Returns the problem as a response (RFC 9457). */
export function toProblemResponse({
  status,
  code,
  detail,
  retryAfter,
}: IdempotencyProblem): Response {
  const type = `urn:threefold:problem:${code}`
  const title = STATUS_CODES[status] ?? 'Error'
  return new Response(JSON.stringify({ type, title, status, detail }), {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }),
    },
  })
}
