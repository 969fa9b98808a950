import type { RedisConnection } from '@repo/redis'
import { IdempotencyError } from '../errors.ts'
import type { Claim } from '../store.ts'

/** The names of the keys of a deployment. Those of one claim share a hash tag, so one script uses them. */
export interface IdempotencyKeys {
  /** The claim, and later the record of the response. */
  record(claim: Claim): string
  /** The results of the steps of one request. Another request with the same key does not read them. */
  steps(claim: Claim): string
}

/** Names the keys with the prefix of the connection, in the slot that the connection reaches. */
export function idempotencyKeys({ keyspace }: Pick<RedisConnection, 'keyspace'>): IdempotencyKeys {
  const key = keyspace('idempotency')
  const records = key('record', '')
  const steps = key('steps', '')
  return {
    record: ({ id }) => records + id,
    steps: ({ id, fingerprint }) => `${steps}${id}:${fingerprint}`,
  }
}

const DIGEST = /^[\w-]{43}$/
const TOKEN = /^[\w-]{22}$/

/**
 * Requires the lengths on which the record format depends.
 *
 * @throws IdempotencyError `bad-argument`
 */
export function requireClaim({ id, fingerprint, token }: Claim): void {
  if (!DIGEST.test(id)) refuse('id', 43)
  if (!DIGEST.test(fingerprint)) refuse('fingerprint', 43)
  if (!TOKEN.test(token)) refuse('token', 22)
}

function refuse(field: keyof Claim, length: number): never {
  const message = `the ${field} of a claim must be ${length} characters of base64url`
  throw new IdempotencyError('bad-argument', message)
}
