import { outboxFigures } from '@repo/outbox'
import type { Sessions } from '../types.ts'
import type { Tier, Validation } from '../validate.ts'

/** A histogram, such as one of `createHistogram` of `@repo/observability`. */
interface TimeHistogram {
  observe: (seconds: number) => void
}

interface HistogramDescription {
  name: string
  help: string
  buckets: readonly number[]
}

const TIERS: readonly Tier[] = ['memo', 'cookie', 'redis', 'database']
const OUTCOMES: readonly Validation['outcome'][] = [
  'valid',
  'none',
  'expired',
  'revoked',
  'unavailable',
]
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5]

/**
 * Returns the figures of the checks of this instance and of the outbox of revocations, for Prometheus. Their shape is that of
 * `@repo/observability`, which this package does not depend on. They are the same counts as those of
 * `observability`, so the sum over all instances since their starts is the total of the cluster.
 *
 * @param createHistogram creates the histogram of the time of checks, which is one of the figures
 */
export function sessionFigures<Histogram extends TimeHistogram>(
  sessions: Pick<Sessions, 'stats' | 'recordTimes' | 'outbox'>,
  createHistogram: (description: HistogramDescription) => Histogram,
) {
  const seconds = createHistogram({
    name: 'threefold_session_validation_seconds',
    help: 'Time of the checks of a session that read Redis or PostgreSQL',
    buckets: BUCKETS,
  })
  sessions.recordTimes((time) => seconds.observe(time))
  return [
    seconds,
    ...TIERS.map((tier) => ({
      name: 'threefold_session_validations_total',
      help: 'Checks of a cookie with a valid signature, by the source of the result',
      kind: 'counter' as const,
      labels: { tier },
      read: () => sessions.stats().tiers[tier],
    })),
    ...OUTCOMES.map((outcome) => ({
      name: 'threefold_session_outcomes_total',
      help: 'Checks of a request, by outcome; none: no session cookie of this site',
      kind: 'counter' as const,
      labels: { outcome },
      read: () => sessions.stats().outcomes[outcome],
    })),
    {
      name: 'threefold_session_revocations_pending',
      help: 'Revocations of this instance that wait for Redis now',
      kind: 'gauge' as const,
      read: () => sessions.stats().pendingRevocations,
    },
    {
      name: 'threefold_session_revocations_delayed_total',
      help: 'Revocations that were not sent at once, because Redis was unavailable',
      kind: 'counter' as const,
      read: () => sessions.stats().delayedRevocations,
    },
    ...(sessions.outbox ? outboxFigures(sessions.outbox) : []),
  ]
}
