import type { Limit } from '../store.ts'
import type { Decision } from '../types.ts'
import { readArgument } from '../validation.ts'

/** The largest Integer of a structured field (RFC 9651 3.3.1). */
const MAX_INTEGER = 999_999_999_999_999

/**
 * `RateLimit-Policy`, `RateLimit` and, for a refusal, `Retry-After`, by
 * draft-ietf-httpapi-ratelimit-headers-11. `RateLimit` contains the tightest limit, or all that refuse.
 * Shadow policies and quotas of 0 are left out.
 * @throws RateLimitError `bad-argument`
 */
export function rateLimitHeaders(decision: Decision): [name: string, value: string][] {
  return readArgument('decision', () => headersOf(decision))
}

function headersOf(decision: Decision): [name: string, value: string][] {
  const { limits, violated, outcome, retryAfterMs } = decision
  const headers: [string, string][] = []
  const shown = limits.filter(({ shadow, quota }) => !shadow && quota > 0 && quota <= MAX_INTEGER)
  if (shown.length > 0) {
    headers.push(['RateLimit-Policy', shown.map(policyItem).join(', ')])
    const refused = shown.filter(({ policy }) => violated.includes(policy))
    const current = refused.length > 0 ? refused : [tightest(shown)]
    headers.push(['RateLimit', current.map(limitItem).join(', ')])
  }
  if (outcome !== 'allowed' && Number.isFinite(retryAfterMs)) {
    headers.push(['Retry-After', String(toSeconds(retryAfterMs))])
  }
  return headers
}

/** Whole seconds, rounded up: a client that waits for them is not too early. */
export function toSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000))
}

function policyItem({ policy, quota, windowMs, algorithm }: Limit): string {
  if (algorithm === 'concurrency') return `"${policy}";q=${quota};qu="concurrent-requests"`
  // The window of the draft is in whole seconds. Another one is left out.
  const window = windowMs % 1_000 === 0 ? `;w=${windowMs / 1_000}` : ''
  return `"${policy}";q=${quota}${window}`
}

function limitItem({ policy, remaining, refillMs, windowMs, retryMs }: Limit): string {
  // The time until more quota is available. Retry-After must not be earlier.
  const ms = retryMs > 0 ? retryMs : Math.min(refillMs, windowMs)
  const until = ms > 0 && Number.isFinite(ms) ? `;t=${toSeconds(ms)}` : ''
  return `"${policy}";r=${remaining}${until}`
}

function tightest(limits: readonly Limit[]): Limit {
  return limits.reduce((least, limit) =>
    limit.remaining / limit.quota < least.remaining / least.quota ? limit : least,
  )
}
