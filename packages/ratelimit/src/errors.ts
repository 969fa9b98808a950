import { isDefect } from '@repo/redis'

/** What went wrong; see `RateLimitError`. */
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
 * What a limiter could not do. A request over its limit, and an outage during `take` or `peek`, are
 * no errors: they are a `Decision`.
 * - `unavailable`: Redis did not do a `reset`, `block`, `penalize` or `report`; repeating a `reset` or
 *   a `block` is safe.
 * - `defect`: Redis answered one of them that the script is wrong: no outage.
 * - `bad-policy`: a limiter was made with policies that have faults; the message names all. Or more
 *   than 100 were named for one request.
 * - `unknown-policy`: no policy has the name, or it has no identifier among the dimensions given.
 * - `bad-cost`, `bad-quota`, `bad-duration`: a number that the message says what it must be.
 * - `bad-option`: a limiter, a connection or a middleware was made with an option that the message
 *   names. `bad-argument`: the same of an argument, such as a policy that one take names twice.
 * - `single-instance`: the memory driver was asked to serve several instances.
 * - `closed`: the limiter was closed.
 */
export class RateLimitError extends Error {
  override name = 'RateLimitError'
  readonly code: RateLimitErrorCode

  constructor(code: RateLimitErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Why a change could not be made. */
export function unavailable(cause: unknown): RateLimitError {
  if (cause instanceof RateLimitError) return cause
  if (isDefect(cause)) return new RateLimitError('defect', 'Redis refused the script', { cause })
  return new RateLimitError('unavailable', 'Redis did not do it', { cause })
}
