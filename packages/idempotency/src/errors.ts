/** The codes of an `IdempotencyError`. */
export type IdempotencyErrorCode =
  | 'bad-option'
  | 'bad-argument'
  | 'bad-key'
  | 'no-scope'
  | 'unavailable'
  | 'defect'
  | 'lost'
  | 'no-transaction'
  | 'unknown-format'
  | 'unreadable'
  | 'single-instance'
  | 'closed'

/**
 * The error of a store or of a call. A conflict, a mismatch and a replay are outcomes and no errors.
 * - `bad-option`, `bad-argument`: the message names the value that is not valid.
 * - `bad-key`: the value of `Idempotency-Key` breaks the rule in the message.
 * - `no-scope`: the request has no scope. It is never run with the key of another caller.
 * - `unavailable`: the store did not decide. The request did not run, and will not run later.
 * - `defect`: the store refused a statement as wrong. This is no outage.
 * - `lost`: another holder has the claim, or its response is stored. The transaction was rolled back.
 * - `no-transaction`: the store commits only within `transaction`, which the work did not call.
 * - `unknown-format`: the record has the format of another release. It is neither run nor replayed.
 * - `unreadable`: the record is sealed with a key that this instance does not have, or is damaged.
 * - `single-instance`: the memory store was created for several instances.
 * - `closed`: it is closed.
 */
export class IdempotencyError extends Error {
  override name = 'IdempotencyError'
  readonly code: IdempotencyErrorCode

  constructor(code: IdempotencyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
