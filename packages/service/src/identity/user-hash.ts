import { createHmac, createSecretKey, hkdfSync } from 'node:crypto'
import { createTwoGenerationMap } from '@repo/concurrency'

/** 96 bits: two users of a cluster have the same hash with a probability below 1 in 10^16. */
const HASH_CHARS = 16
const MAX_CACHED = 20_000

/**
 * Creates a function that returns the name of a user in log lines: a part of an HMAC-SHA256 of the
 * id. Its key is derived from the secret (HKDF, RFC 5869), so it is the same on all instances with this
 * secret, and it cannot be computed without the secret. It changes when the secret is replaced.
 */
export function createUserHash(secret: string): (userId: string) => string {
  const derived = hkdfSync('sha256', secret, '', 'threefold user in log lines', 32)
  const key = createSecretKey(Buffer.from(derived))
  const hashes = createTwoGenerationMap<string>(MAX_CACHED)

  return function hashUser(userId) {
    const cached = hashes.get(userId)
    if (cached !== undefined) return cached
    const mac = createHmac('sha256', key).update(userId).digest('base64url')
    const hashed = mac.slice(0, HASH_CHARS)
    hashes.set(userId, hashed)
    return hashed
  }
}
