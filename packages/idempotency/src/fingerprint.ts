import { createHash, hash } from 'node:crypto'
import { IdempotencyError } from './errors.ts'
import { readFields, refuse, requireText } from './options.ts'

/** The parts of a request that make it the same request. */
export interface FingerprintedRequest {
  readonly method: string
  /** The path and the query, as the client sent them. */
  readonly target: string
  readonly body: Uint8Array
}

/** A larger body is hashed without a copy. */
const MAX_COPIED_BYTES = 65_536
const MAX_METHOD = 64
const MAX_TARGET = 65_536
const MAX_SCOPE = 1_024
const MAX_KEY = 255
const MAX_STEP = 255

/**
 * The SHA-256 of method, path, query and body (base64url, 43 characters). The parts have their lengths
 * before them, so two different requests never have the same text.
 *
 * @throws IdempotencyError `bad-argument`
 */
export function fingerprintOf(request: FingerprintedRequest): string {
  const { method, target, body } = readFields('bad-argument', 'request', request)
  requireText('method', method, MAX_METHOD)
  requireText('target', target, MAX_TARGET)
  if (!(body instanceof Uint8Array)) refuse('bad-argument', 'body', 'a Uint8Array')
  const head = lengthPrefixed(method, target)
  if (body.length === 0) return hash('sha256', head, 'base64url')
  if (body.length > MAX_COPIED_BYTES) {
    return createHash('sha256').update(head).update(body).digest('base64url')
  }
  return hash('sha256', Buffer.concat([Buffer.from(head), body]), 'base64url')
}

/**
 * The id of a claim (base64url, 43 characters). Two scopes, and two keys of one scope, have different
 * ids. A store receives no key.
 *
 * @throws IdempotencyError `no-scope`, `bad-argument`
 */
export function claimIdOf(scope: string, key: string): string {
  requireScope(scope)
  requireText('key', key, MAX_KEY)
  return hash('sha256', lengthPrefixed(scope, key), 'base64url')
}

/**
 * The key of a step for another system (base64url, 43 characters).
 *
 * @throws IdempotencyError `no-scope`, `bad-argument`
 */
export function downstreamKeyOf(scope: string, key: string, step: string): string {
  requireScope(scope)
  requireText('key', key, MAX_KEY)
  requireText('step', step, MAX_STEP)
  return hash('sha256', lengthPrefixed(scope, key, step), 'base64url')
}

/** The length of the last part follows from the whole. */
function lengthPrefixed(...parts: readonly string[]): string {
  let text = ''
  for (const part of parts) text += `${part.length}:${part}`
  return text
}

function requireScope(scope: unknown): void {
  if (typeof scope === 'string' && scope !== '') return requireText('scope', scope, MAX_SCOPE)
  throw new IdempotencyError(
    'no-scope',
    'scope must be the owner of the key: without one it is not used',
  )
}
