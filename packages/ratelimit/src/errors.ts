import { isDefect } from '@repo/redis'

/** The codes of a `RateLimitError`. */
export type RateLimitErrorCode =
  | 'unavailable'
  | 'defect'
  | 'bad-policy'
  | 'unknown-policy'
  | 'bad-cost'
  | 'bad-quota'
  | 'bad-duration'
  | 'bad-option'
  | 'bad-argument'
  | 'single-instance'
  | 'closed'

/**
 * The error of a limiter. A request over its limit, and an outage during `take` or `peek`, are a
 * `Decision` and not an error.
 * - `unavailable`: Redis did not execute a `reset`, `block`, `penalize`, `reward` or `report`. It is
 *   safe to repeat a `reset` or a `block`.
 * - `defect`: Redis replied that the script is wrong. This is no outage.
 * - `bad-policy`: the policies of a new limiter have faults; the message names all of them.
 * - `unknown-policy`: no policy has the name, or the request lacks one of its dimensions.
 * - `bad-cost`, `bad-quota`, `bad-duration`: a number is out of the range in the message.
 * - `bad-option`: the message names an option of a limiter, a connection or a middleware that is not
 *   valid. `bad-argument`: the same for an argument.
 * - `single-instance`: the memory driver was created for several instances.
 * - `closed`: the limiter is closed.
 */
export class RateLimitError extends Error {
  override name = 'RateLimitError'
  readonly code: RateLimitErrorCode

  constructor(code: RateLimitErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The error of a call that Redis did not execute. */
export function unavailable(cause: unknown): RateLimitError {
  if (cause instanceof RateLimitError) return cause
  if (isDefect(cause)) return new RateLimitError('defect', 'Redis refused the script', { cause })
  return new RateLimitError('unavailable', 'Redis did not execute the call', { cause })
}
