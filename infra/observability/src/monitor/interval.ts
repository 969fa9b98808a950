import type { Reading } from './site.ts'

type Figures = Reading['figures']

/** `averageTimeMs` has three digits. */
const ROUNDING_MS = 0.000_5
const HOUR_MS = 3_600_000

/**
 * The reading of the time between two readings: totals, rates and averages of that time, and the
 * state of the later one. Undefined if they cannot be compared, because the counters were reset, or
 * because the figures are those of another instance.
 */
export function between(before: Reading, after: Reading): Reading | undefined {
  const [from, to] = [before.figures, after.figures]
  if (from.scope !== to.scope || startsAt(from) !== startsAt(to)) return undefined
  const ms = to.authentication.uptime.milliseconds - from.authentication.uptime.milliseconds
  const counts = differencesOf(countsOf(from), countsOf(to))
  if (ms <= 0 || Object.values(counts).some((count) => count < 0)) return undefined
  const { authentication, validationCache } = to
  const hours = ms / HOUR_MS
  const { total, cacheHits, databaseQueries, failures, logins, deleted, pending } = counts
  return {
    instances: after.instances,
    figures: {
      ...to,
      authentication: {
        ...authentication,
        uptime: { ...authentication.uptime, milliseconds: ms, hours },
        logins: {
          ...authentication.logins,
          total: logins,
          averagePerHour: rounded(logins / hours),
        },
        validations: {
          total,
          cacheHits,
          cacheMisses: total - cacheHits,
          cacheHitRate: total === 0 ? 0 : rounded((cacheHits / total) * 100, 2),
          databaseQueries,
          failures,
          averageTimeMs: averageTimeMs(from, to, total),
          averagePerHour: rounded(total / hours),
        },
        users: { ...authentication.users, deletedDetected: deleted },
        costs: { ...authentication.costs, queriesPerHour: rounded(databaseQueries / hours) },
      },
      validationCache: {
        ...validationCache,
        revocations: { ...validationCache.revocations, pending },
      },
    },
  }
}

const startsAt = ({ authentication }: Figures) => authentication.uptime.startTime

function countsOf({ authentication, validationCache }: Figures) {
  const { total, cacheHits, databaseQueries, failures } = authentication.validations
  return {
    total,
    cacheHits,
    databaseQueries,
    failures,
    logins: authentication.logins.total,
    deleted: authentication.users.deletedDetected,
    pending: validationCache.revocations.pending,
  }
}

type Counts = ReturnType<typeof countsOf>

function differencesOf(from: Counts, to: Counts): Counts {
  return {
    total: to.total - from.total,
    cacheHits: to.cacheHits - from.cacheHits,
    databaseQueries: to.databaseQueries - from.databaseQueries,
    failures: to.failures - from.failures,
    logins: to.logins - from.logins,
    deleted: to.deleted - from.deleted,
    pending: to.pending - from.pending,
  }
}

/** The lowest average that the two rounded averages allow: rounding crosses no threshold. */
function averageTimeMs(from: Figures, to: Figures, checks: number): number {
  if (checks === 0) return 0
  const [before, after] = [from.authentication.validations, to.authentication.validations]
  const ms = after.averageTimeMs * after.total - before.averageTimeMs * before.total
  const errorMs = ROUNDING_MS * (after.total + before.total)
  return Math.max(0, rounded((ms - errorMs) / checks, 3))
}

function rounded(value: number, digits = 1): number {
  return Number(value.toFixed(digits))
}
