import { IdempotencyError } from './errors.ts'
import { readFields } from './options.ts'
import type { StoredResponse } from './types.ts'

/** Statuses below 500 that do not depend on the request itself: a repetition may succeed. */
const TRANSIENT = new Set([401, 403, 408, 409, 423, 425, 429])

/**
 * Whether a response with this status ends the request. Others release the key, so that the next
 * attempt runs.
 */
export function isStorable(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status < 500 && !TRANSIENT.has(status)
}

/** Fields of one connection, one moment or one instance. */
const NOT_STORED = new Set([
  // RFC 9110 7.6.1 and RFC 9112: fields of the connection and of the framing.
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  // A cookie of the first response can be newer in the browser by now.
  'set-cookie',
  'date',
  'alt-svc',
  'server-timing',
  'via',
  'x-instance-id',
  'x-request-id',
  // The limits at the time of the first response.
  'ratelimit',
  'ratelimit-policy',
  // Set for each response.
  'idempotency-key-expires',
  'idempotency-replay-unavailable',
  'idempotency-replayed',
  'idempotency-status',
])

/**
 * Returns the headers that a replay sends: without cookies, fields of the connection, and fields of the
 * moment. Names are in lower case.
 *
 * @param headers `[name, value, name, value, ...]`
 * @throws IdempotencyError `bad-argument`
 */
export function storableHeaders(headers: readonly string[]): string[] {
  if (!arePairs(headers)) throw new IdempotencyError('bad-argument', `headers ${PAIRS}`)
  const named = new Set<string>()
  const stored: string[] = []
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() !== 'connection') continue
    for (const name of headers[i + 1]?.split(',') ?? []) named.add(name.trim().toLowerCase())
  }
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i]?.toLowerCase() ?? ''
    const value = headers[i + 1] ?? ''
    if (!NOT_STORED.has(name) && !named.has(name)) stored.push(name, value)
  }
  return stored
}

/** @throws IdempotencyError `bad-argument` unless it is a response that can be stored */
export function checkResponse(response: unknown): asserts response is StoredResponse {
  const fault = faultOf(response)
  if (fault !== undefined) throw new IdempotencyError('bad-argument', `response: ${fault}`)
}

type Fields = Partial<Record<keyof StoredResponse, unknown>>

function faultOf(response: unknown): string | undefined {
  if (typeof response !== 'object' || response === null) return 'must be an object'
  const { status, headers, body, isBodyOmitted } = readFields<Fields>(
    'bad-argument',
    'response',
    response,
  )
  if (!Number.isInteger(status) || Number(status) < 200 || Number(status) > 599) {
    return 'status must be a whole number from 200 to 599'
  }
  if (!(body instanceof Uint8Array)) return 'body must be a Buffer'
  if (isBodyOmitted !== undefined && typeof isBodyOmitted !== 'boolean') {
    return 'isBodyOmitted must be true or false'
  }
  return arePairs(headers) ? undefined : `headers ${PAIRS}`
}

const PAIRS = 'must be names and values in turn'

function arePairs(headers: unknown): boolean {
  if (!Array.isArray(headers) || headers.length % 2 > 0) return false
  for (let i = 0; i < headers.length; i += 1) if (typeof headers[i] !== 'string') return false
  return true
}
