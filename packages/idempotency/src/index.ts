export { IdempotencyError, type IdempotencyErrorCode } from './errors.ts'
export type { Begun, Claim, Completed, IdempotencyStore, Transaction } from './store.ts'
export type { Attempt, Finished, KeyedRequest, Once, Started, StoredResponse } from './types.ts'
