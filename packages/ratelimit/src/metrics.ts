import type { LimiterStats, RateLimiter } from './types.ts'
import { anObjectWith, requireValid } from './validation.ts'

/**
 * The decisions of a limiter since its creation, as `Figure`s of `@repo/observability`; alert when it
 * is not exact for long.
 * @throws RateLimitError `bad-argument`
 */
export function limiterFigures(limiter: Pick<RateLimiter, 'stats'>) {
  requireValid('bad-argument', limiter, anObjectWith('limiter', ['stats']))
  const count = (name: string, help: string, read: (stats: LimiterStats) => number) => ({
    name: `threefold_ratelimit_${name}_total`,
    help,
    kind: 'counter' as const,
    read: () => read(limiter.stats()),
  })
  const stands = (name: string, help: string, read: (stats: LimiterStats) => number) => ({
    name: `threefold_ratelimit_${name}`,
    help,
    kind: 'gauge' as const,
    read: () => read(limiter.stats()),
  })
  return [
    count('allowed', 'Takes that were allowed', ({ allowed }) => allowed),
    count('limited', 'Takes over a limit', ({ limited }) => limited),
    count('unavailable', 'Takes that nobody could decide', ({ unavailable }) => unavailable),
    count('degraded', 'Takes decided without Redis', ({ degraded }) => degraded),
    count('remembered', 'Refusals from memory', ({ fromDenyCache }) => fromDenyCache),
    count('leased', 'Takes of units that were leased', ({ fromLease }) => fromLease),
    stands('deny_cache_keys', 'Refusals in memory', ({ denyCacheKeys }) => denyCacheKeys),
    stands('exact_ratio', '1: Redis counts, 0: this instance alone', ({ exact }) => Number(exact)),
  ]
}
