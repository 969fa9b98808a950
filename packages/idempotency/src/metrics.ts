import { requireMethods } from './options.ts'
import type { Once, OnceStats } from './types.ts'

const OUTCOMES = ['fresh', 'replayed', 'waited', 'conflict', 'mismatch', 'unavailable'] as const
const CALLS = ['begin', 'complete', 'release', 'renew', 'step', 'transaction'] as const

/** The counts of one `Once`, which its parts increase. */
export type Counts = ReturnType<typeof createCounts>

export function createCounts() {
  return {
    requests: { fresh: 0, replayed: 0, waited: 0, conflict: 0, mismatch: 0, unavailable: 0 },
    storeErrors: { begin: 0, complete: 0, release: 0, renew: 0, step: 0, transaction: 0 },
    takeovers: 0,
    fenced: 0,
    healed: 0,
    released: 0,
    oversize: 0,
  }
}

/** Creates a histogram, such as `createHistogram` of `@repo/observability`. */
export type CreateHistogram<Histogram extends { observe: (seconds: number) => void }> =
  (description: {
    name: string
    help: string
    labels: Record<string, string>
    buckets: readonly number[]
  }) => Histogram

const BUCKETS = [0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25]

/**
 * Returns the figures of a `Once`, for Prometheus. Their shape is that of `@repo/observability`. Each
 * request with a key counts once in `threefold_idempotency_requests_total`, at its end.
 *
 * @throws IdempotencyError `bad-argument`
 */
export function idempotencyFigures<Histogram extends { observe: (seconds: number) => void }>(
  once: Pick<Once, 'stats' | 'recordTimes'>,
  createHistogram: CreateHistogram<Histogram>,
) {
  requireMethods('bad-argument', 'once', once, ['stats', 'recordTimes'])
  const seconds = createHistogram({
    name: 'threefold_idempotency_store_seconds',
    help: 'Time of a claim or a completion in the store',
    labels: {},
    buckets: BUCKETS,
  })
  once.recordTimes((_, time) => seconds.observe(time))
  const counter = (name: string, help: string, read: (stats: OnceStats) => number) => ({
    name: `threefold_idempotency_${name}_total`,
    help,
    kind: 'counter' as const,
    read: () => read(once.stats()),
  })
  const gauge = (name: string, help: string, read: (stats: OnceStats) => number) => ({
    name: `threefold_idempotency_${name}`,
    help,
    kind: 'gauge' as const,
    read: () => read(once.stats()),
  })
  return [
    seconds,
    ...OUTCOMES.map((outcome) => ({
      ...counter('requests', 'Requests with a key', ({ requests }) => requests[outcome]),
      labels: { outcome },
    })),
    ...CALLS.map((call) => ({
      ...counter(
        'store_errors',
        'Failed calls of the store',
        ({ storeErrors }) => storeErrors[call],
      ),
      labels: { call },
    })),
    counter('takeovers', 'Claims after the end of a lease', ({ takeovers }) => takeovers),
    counter('fenced', 'Completions that were refused', ({ fenced }) => fenced),
    counter('healed', 'Records of claims that were lost', ({ healed }) => healed),
    counter('released', 'Attempts without a stored response', ({ released }) => released),
    counter('oversize', 'Responses stored without their body', ({ oversize }) => oversize),
    gauge('in_flight', 'Attempts in progress', ({ inFlight }) => inFlight),
    gauge(
      'uncompleted',
      'Sent responses that are not stored yet',
      ({ uncompleted }) => uncompleted,
    ),
  ]
}
