import { connectionFigures, type CreateHistogram } from '@repo/redis'
import type { LimiterRedis } from './redis/connection.ts'
import type { LimiterStats, PolicyDecisions, RateLimiter } from './types.ts'
import { anObjectWith, requireValid } from './validation.ts'

/**
 * The totals of a limiter as `Figure`s of `@repo/observability`. Send an alert when
 * `threefold_ratelimit_exact_ratio` stays at 0.
 * @throws RateLimitError `bad-argument`
 */
export function limiterFigures(limiter: Pick<RateLimiter, 'stats' | 'decisions'>) {
  requireValid('bad-argument', limiter, anObjectWith('limiter', ['stats', 'decisions']))
  const counter = (name: string, help: string, read: (stats: LimiterStats) => number) => ({
    name: `threefold_ratelimit_${name}_total`,
    help,
    kind: 'counter' as const,
    read: () => read(limiter.stats()),
  })
  const gauge = (name: string, help: string, read: (stats: LimiterStats) => number) => ({
    name: `threefold_ratelimit_${name}`,
    help,
    kind: 'gauge' as const,
    read: () => read(limiter.stats()),
  })
  return [
    decisionFigure(limiter),
    counter('allowed', 'Allowed takes', ({ allowed }) => allowed),
    counter('limited', 'Takes over a limit', ({ limited }) => limited),
    counter('unavailable', 'Takes without a decision', ({ unavailable }) => unavailable),
    counter('degraded', 'Takes decided without Redis', ({ degraded }) => degraded),
    counter('remembered', 'Refusals from the deny cache', ({ fromDenyCache }) => fromDenyCache),
    counter('leased', 'Takes from quota blocks', ({ fromLease }) => fromLease),
    gauge('deny_cache_keys', 'Refusals in the deny cache', ({ denyCacheKeys }) => denyCacheKeys),
    gauge('exact_ratio', '1: Redis counts, 0: this instance alone', ({ exact }) => Number(exact)),
  ]
}

type DecisionName = Exclude<keyof PolicyDecisions, 'policy'>

const DECISIONS: readonly DecisionName[] = [
  'allowed',
  'limited',
  'denied',
  'unavailable',
  'shadowed',
]

/** The policies in force are the bound of its series: one that is removed has none. */
function decisionFigure(limiter: Pick<RateLimiter, 'decisions'>) {
  return {
    name: 'threefold_ratelimit_decisions_total',
    help: 'Takes under a policy, by its decision',
    kind: 'counter' as const,
    labelNames: ['policy', 'decision'],
    readSeries: () =>
      limiter
        .decisions()
        .flatMap(({ policy, ...counts }) =>
          DECISIONS.map((decision) => ({ labels: { policy, decision }, value: counts[decision] })),
        ),
  }
}

/** Returns the figures of a connection for limits: the times of its commands, and its state. */
export function limiterRedisFigures<Histogram extends { observe: (seconds: number) => void }>(
  { observed }: Pick<LimiterRedis, 'observed'>,
  createHistogram: CreateHistogram<Histogram>,
) {
  return connectionFigures(observed, createHistogram)
}
