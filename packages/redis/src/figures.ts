import type { CallTimes } from './calls/call-times.ts'
import type { RedisConnection } from './connect.ts'
import type { Connects } from './connection/connects.ts'

/** Creates a histogram, such as `createHistogram` of `@repo/observability`. */
export type CreateHistogram<Histogram extends { observe: (seconds: number) => void }> = (
  description: HistogramDescription,
) => Histogram

interface HistogramDescription {
  name: string
  help: string
  labels: Record<string, string>
  buckets: readonly number[]
}

/** The state of a connection, as its figures read it. */
export interface ObservedConnection {
  /** The purpose of the connection, a label of its figures. */
  name: 'shared' | 'limits'
  connects: Connects
  times: Pick<CallTimes, 'observeBy' | 'recordTo'>
  /** Whether no command is sent because Redis is unavailable. */
  isStopped: () => boolean
}

const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1]

/**
 * Returns the figures of one connection, for Prometheus. Their shape is that of
 * `@repo/observability`, which this package does not depend on.
 */
export function connectionFigures<Histogram extends { observe: (seconds: number) => void }>(
  { name, connects, times, isStopped }: ObservedConnection,
  createHistogram: CreateHistogram<Histogram>,
) {
  const labels = { connection: name }
  const seconds = createHistogram({
    name: 'threefold_redis_command_seconds',
    help: 'Time of a call of Redis, from its start to its reply or its failure',
    labels,
    buckets: BUCKETS,
  })
  times.recordTo((time) => seconds.observe(time))
  return [
    seconds,
    {
      name: 'threefold_redis_connected',
      help: '1: the connection to Redis is ready',
      kind: 'gauge' as const,
      labels,
      read: () => Number(connects.isConnected()),
    },
    {
      name: 'threefold_redis_reconnects_total',
      help: 'How often a lost connection to Redis was replaced',
      kind: 'counter' as const,
      labels,
      read: () => connects.reconnects(),
    },
    {
      name: 'threefold_redis_breaker_open',
      help: '1: calls of Redis fail at once because it is unavailable',
      kind: 'gauge' as const,
      labels,
      read: () => Number(isStopped()),
    },
  ]
}

const CODES = ['unavailable', 'timeout', 'rejected', 'defect'] as const

/** As `connectionFigures`, for a connection of `connectRedis`, with its failed calls by error code. */
export function redisFigures<Histogram extends { observe: (seconds: number) => void }>(
  { stats, breaker, connects, times }: RedisConnection,
  createHistogram: CreateHistogram<Histogram>,
) {
  const name = 'shared'
  const isStopped = () => breaker.state !== 'closed'
  return [
    ...connectionFigures({ name, connects, times, isStopped }, createHistogram),
    ...CODES.map((code) => ({
      name: 'threefold_redis_failed_calls_total',
      help: 'Calls of Redis that failed, by the code of their error',
      kind: 'counter' as const,
      labels: { code, connection: name },
      read: () => stats.failures[code],
    })),
  ]
}
