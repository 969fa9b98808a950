import { IdempotencyError } from '../errors.ts'
import type { IdempotencyStore } from '../store.ts'
import { memoryStore } from './memory-store.ts'

type Faults = Partial<Pick<IdempotencyStore, 'begin' | 'complete' | 'release' | 'renew'>>

/** The result of each call of a store that does not decide. */
export async function failUndecided(): Promise<never> {
  throw new IdempotencyError('unavailable', 'the store does not decide')
}

/** A store in memory whose methods can be replaced while a test runs. */
export function faultyStore(inner: IdempotencyStore = memoryStore()) {
  const faults: Faults = {}
  const store: IdempotencyStore = {
    ...inner,
    begin: (claim, leaseMs) =>
      faults.begin ? faults.begin(claim, leaseMs) : inner.begin(claim, leaseMs),
    complete: (claim, record, ttlMs) =>
      faults.complete
        ? faults.complete(claim, record, ttlMs)
        : inner.complete(claim, record, ttlMs),
    release: (claim) => (faults.release ? faults.release(claim) : inner.release(claim)),
    renew: (claims, leaseMs) =>
      faults.renew ? faults.renew(claims, leaseMs) : inner.renew(claims, leaseMs),
  }
  return { store, inner, faults }
}
