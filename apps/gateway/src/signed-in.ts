import type { ProblemOptions } from '@repo/service'
import { unavailable } from '@repo/service/hono'
import type { Validation } from '@repo/session'

export type SignedIn = Extract<Validation, { outcome: 'valid' }>

export function isSignedIn(check: Validation): check is SignedIn {
  return check.outcome === 'valid'
}

/** What a caller is told who is not; a store that is away signs nobody out, as a 401 would. */
export function notSignedIn({ outcome }: Validation): ProblemOptions {
  if (outcome === 'unavailable') return unavailable
  return { status: 401, code: 'signed-out', detail: 'Sign in to continue.' }
}
