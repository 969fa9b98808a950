import type { Limit } from '../store.ts'
import type { Decision } from '../types.ts'
import { readArgument } from '../validation.ts'

/** The largest Integer of a structured field (RFC 9651 3.3.1). */
const MAX_INTEGER = 999_999_999_999_999

/**
 * `RateLimit-Policy`, `RateLimit` and, for what was refused, `Retry-After`, as
 * draft-ietf-httpapi-ratelimit-headers-11 has them. `RateLimit` tells the tightest limit, or all that
 * refused. Nothing is told of shadow policies, nor of a quota of 0.
 * @throws RateLimitError `bad-argument`
 */
export function rateLimitHeaders(decision: Decision): [name: string, value: string][] {
  return readArgument('decision', () => headersOf(decision))
}

function headersOf(decision: Decision): [name: string, value: string][] {
  const { limits, violated, outcome, retryAfterMs } = decision
  const headers: [string, string][] = []
  const told = limits.filter(({ shadow, quota }) => !shadow && quota > 0 && quota <= MAX_INTEGER)
  if (told.length > 0) {
    headers.push(['RateLimit-Policy', told.map(policyItem).join(', ')])
    const refused = told.filter(({ policy }) => violated.includes(policy))
    const current = refused.length > 0 ? refused : [tightest(told)]
    headers.push(['RateLimit', current.map(limitItem).join(', ')])
  }
  if (outcome !== 'allowed' && Number.isFinite(retryAfterMs)) {
    headers.push(['Retry-After', String(toSeconds(retryAfterMs))])
  }
  return headers
}

/** Whole seconds, never sooner than it is true. */
export function toSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000))
}

function policyItem({ policy, quota, windowMs, algorithm }: Limit): string {
  if (algorithm === 'concurrency') return `"${policy}";q=${quota};qu="concurrent-requests"`
  // The draft's window is whole seconds; a shorter one is not told.
  const window = windowMs % 1_000 === 0 ? `;w=${windowMs / 1_000}` : ''
  return `"${policy}";q=${quota}${window}`
}

function limitItem({ policy, remaining, refillMs, windowMs, retryMs }: Limit): string {
  // Until more quota comes; Retry-After must not be sooner than this.
  const ms = retryMs > 0 ? retryMs : Math.min(refillMs, windowMs)
  const until = ms > 0 && Number.isFinite(ms) ? `;t=${toSeconds(ms)}` : ''
  return `"${policy}";r=${remaining}${until}`
}

function tightest(limits: readonly Limit[]): Limit {
  return limits.reduce((least, limit) =>
    limit.remaining / limit.quota < least.remaining / least.quota ? limit : least,
  )
}
