export { IdempotencyError, type IdempotencyErrorCode } from './errors.ts'
export { claimIdOf, type FingerprintedRequest, fingerprintOf } from './fingerprint.ts'
export { type IdempotencyProblem, KEY_MISSING, problemOf } from './http/problems.ts'
export { parseKey } from './key.ts'
export { type CreateHistogram, idempotencyFigures } from './metrics.ts'
export { createOnce } from './once.ts'
export { isStorable, storableHeaders } from './response.ts'
export type { SealKey, SealOptions } from './seal.ts'
export type { OnceOptions } from './settings.ts'
export type { Begun, Claim, Completed, IdempotencyStore, Transaction } from './store.ts'
export type {
  Attempt,
  Finished,
  KeyedRequest,
  Once,
  OnceStats,
  RecordTime,
  Started,
  StoredResponse,
} from './types.ts'
