import type { DatabaseConnection } from '../connect.ts'
import { errorKinds } from './error-kind.ts'

/** A histogram, such as one of `createHistogram` of `@repo/observability`. */
interface TimeHistogram {
  observe: (seconds: number) => void
}

/**
 * Returns the figures of a pool, for Prometheus. Their shape is that of `@repo/observability`, which
 * this package does not depend on.
 *
 * @param createHistogram creates the histogram of the times of queries, which is one of the figures
 */
export function databaseFigures<Histogram extends TimeHistogram>(
  { pool, stats }: Pick<DatabaseConnection, 'pool' | 'stats'>,
  createHistogram: (description: { name: string; help: string }) => Histogram,
) {
  const seconds = createHistogram({
    name: 'threefold_database_query_seconds',
    help: 'Time from sending a statement to its reply, without the wait for a connection',
  })
  stats.recordTimes((time) => seconds.observe(time))

  const connections = 'Open connections of the pool'
  return [
    seconds,
    gauge('connections', connections, () => pool.totalCount - pool.idleCount, { state: 'active' }),
    gauge('connections', connections, () => pool.idleCount, { state: 'idle' }),
    gauge('connections_max', 'The limit of connections of this instance', () => pool.options.max),
    gauge('waiting', 'Calls that wait for a connection', () => pool.waitingCount),
    ...errorKinds.map((kind) => ({
      name: 'threefold_database_errors_total',
      help: 'Calls of PostgreSQL that failed, by kind',
      kind: 'counter' as const,
      labels: { kind },
      read: () => stats.errors[kind],
    })),
  ]
}

function gauge(name: string, help: string, read: () => number, labels = {}) {
  return { name: `threefold_database_${name}`, help, kind: 'gauge' as const, labels, read }
}
