import type { Figures } from './figures.ts'

/** The assumed cost of one query, in US dollars. */
const QUERY_COST = 0.000_01
const HOUR_MS = 3_600_000

/** The response of `/api/observability`. */
export type Observability = ReturnType<typeof describeFigures> & {
  /** The source of the figures: `instance` also when Redis is unavailable. */
  scope: 'cluster' | 'instance'
}

export interface CacheFigures {
  size: number
  maxSize: number
  ttlMs: number
  backend: 'redis' | 'in-memory'
}

export function describeFigures(figures: Figures, cache: CacheFigures) {
  const { totals, nowMs, sinceMs } = figures
  const { memo, cookie, redis, database, revocations } = totals
  const cacheHits = memo + cookie + redis
  const total = cacheHits + database
  // At least half a minute: a rate over the first seconds has no meaning.
  const hours = Math.max((nowMs - sinceMs) / HOUR_MS, 1 / 120)
  const perHour = (count: number) => rounded(count / hours, 1)
  const hitRate = total === 0 ? 0 : rounded((cacheHits / total) * 100, 2)
  const averageTimeMs = total === 0 ? 0 : rounded(totals.waitedUs / total / 1_000, 3)
  return {
    authentication: {
      uptime: {
        milliseconds: nowMs - sinceMs,
        hours: rounded((nowMs - sinceMs) / HOUR_MS, 2),
        startTime: new Date(sinceMs).toISOString(),
      },
      logins: {
        total: totals.logins,
        last24Hours: byHour(figures),
        lastLoginTimestamp: figures.lastLoginMs
          ? new Date(figures.lastLoginMs).toISOString()
          : null,
        averagePerHour: perHour(totals.logins),
      },
      validations: {
        total,
        cacheHits,
        cacheMisses: database,
        cacheHitRate: hitRate,
        databaseQueries: totals.queries,
        failures: totals.failures,
        averageTimeMs,
        averagePerHour: perHour(total),
      },
      users: {
        activeCount: figures.activeUsers,
        deletedDetected: totals.deleted,
        bannedDetected: totals.banned,
      },
      costs: describeCosts(total, totals.queries, perHour(totals.queries)),
      performance: describePerformance(total, hitRate, averageTimeMs),
    },
    validationCache: {
      ...cache,
      tiers: { memo, cookie, redis, database },
      revocations: {
        total: revocations,
        pending: totals.pending,
        averageMs: revocations === 0 ? 0 : rounded(totals.revocationUs / revocations / 1_000, 2),
      },
    },
  }
}

function byHour({ loginsByHour, nowMs }: Figures): Record<string, number> {
  const newest = Math.floor(nowMs / HOUR_MS)
  const last = [...loginsByHour].filter(([hour]) => hour > newest - 24)
  const named = last
    .toSorted(([a], [b]) => b - a)
    .map(([hour, count]) => {
      return [new Date(hour * HOUR_MS).toISOString().slice(0, 13), count] as const
    })
  return Object.fromEntries(named)
}

function describeCosts(checks: number, queries: number, queriesPerHour: number) {
  const without = checks * QUERY_COST
  const saved = Math.max(without - queries * QUERY_COST, 0)
  return {
    estimatedDatabaseCost: (queries * QUERY_COST).toFixed(4),
    costWithoutCache: without.toFixed(4),
    savings: saved.toFixed(4),
    savingsPercentage: (without === 0 ? 0 : (saved / without) * 100).toFixed(2),
    queriesPerHour,
  }
}

function describePerformance(checks: number, hitRate: number, averageTimeMs: number) {
  const grade =
    hitRate >= 95 ? 'Excellent' : hitRate >= 90 ? 'Good' : hitRate >= 75 ? 'Fair' : 'Poor'
  const time = averageTimeMs < 10 ? 'Excellent' : averageTimeMs < 50 ? 'Good' : 'Poor'
  return {
    cacheEffectiveness: checks === 0 ? 'No data' : grade,
    recommendedCacheTTL:
      checks === 0 || hitRate >= 90
        ? 'Current TTL is optimal'
        : 'Consider a longer TTL, or a larger cache',
    avgValidationTime: checks === 0 ? 'No data' : time,
  }
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
