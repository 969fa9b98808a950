import type { Reading } from './site.ts'

/** One line of the table. */
export interface Verdict {
  figure: string
  value: string
  /** The condition that holds when all is well; empty for a figure without a threshold. */
  threshold: string
  isCrossed: boolean
}

/** Below this number of checks, a rate has no meaning. */
const MIN_CHECKS = 100
/** The time since the start below which a number for each hour is an extrapolation. */
const MIN_HOURS = 0.5
const MIN_HIT_RATE = 90
const QUERIES_PER_HOUR = 1_000
const USERS_PER_THOUSAND = 1_000
const MAX_AVERAGE_MS = 50
const MAX_DELETED_PER_HOUR = 10
const MAX_FAILED_SHARE = 0.01

/** Compares a reading with the thresholds of docs/operations.md. */
export function verdictsOf({ figures, instances }: Reading): Verdict[] {
  const { authentication, validationCache, scope } = figures
  const { validations, users, uptime, costs } = authentication
  // A check without a result is not part of the total.
  const attempts = validations.total + validations.failures
  const isMeasured = validations.total >= MIN_CHECKS
  const queriesLimit = QUERIES_PER_HOUR * Math.max(1, users.activeCount / USERS_PER_THOUSAND)
  const hours = Math.max(1, uptime.hours)
  const failedShare = attempts === 0 ? 0 : validations.failures / attempts
  const few = isMeasured ? '' : ` (only ${validations.total} checks)`
  return [
    check(
      'cache hit rate',
      `${validations.cacheHitRate} %${few}`,
      `>= ${MIN_HIT_RATE} %`,
      !isMeasured || validations.cacheHitRate >= MIN_HIT_RATE,
    ),
    check(
      'queries of sessions an hour',
      String(costs.queriesPerHour),
      `<= ${Math.round(queriesLimit)}`,
      !isMeasured || uptime.hours < MIN_HOURS || costs.queriesPerHour <= queriesLimit,
    ),
    check(
      'average time of a check',
      `${validations.averageTimeMs} ms`,
      `<= ${MAX_AVERAGE_MS} ms`,
      !isMeasured || validations.averageTimeMs <= MAX_AVERAGE_MS,
    ),
    check(
      'checks without a result',
      String(validations.failures),
      '<= 1 %',
      attempts < MIN_CHECKS || failedShare <= MAX_FAILED_SHARE,
    ),
    check('cache backend', validationCache.backend, 'redis', validationCache.backend === 'redis'),
    check('source of the figures', scope, 'cluster', scope === 'cluster'),
    check(
      'deleted users detected an hour',
      rounded(users.deletedDetected / hours),
      `<= ${MAX_DELETED_PER_HOUR}`,
      users.deletedDetected / hours <= MAX_DELETED_PER_HOUR,
    ),
    info('active users', String(users.activeCount)),
    info('sign-ins an hour', String(authentication.logins.averagePerHour)),
    info('revocations that had to wait', String(validationCache.revocations.pending)),
    ...instances.map(instanceVerdict),
  ]
}

function instanceVerdict({ instance, health }: Reading['instances'][number]): Verdict {
  const drift = [...new Set([...instance.drift, ...(health?.drift ?? [])])]
  const problems = [
    ...(instance.ready ? [] : ['not ready']),
    ...(drift.length > 0 ? [`other settings: ${drift.join(', ')}`] : []),
    ...(health?.problems ?? []),
  ]
  const state = health?.status ?? (instance.ready ? 'ready' : 'not ready')
  const value = [state, ...problems].join('; ')
  return check(
    instance.id,
    value,
    'healthy',
    problems.length === 0 && (health?.status ?? 'healthy') === 'healthy',
  )
}

function check(figure: string, value: string, threshold: string, isMet: boolean): Verdict {
  return { figure, value, threshold, isCrossed: !isMet }
}

function info(figure: string, value: string): Verdict {
  return { figure, value, threshold: '', isCrossed: false }
}

function rounded(value: number): string {
  return String(Number(value.toFixed(1)))
}

/** The verdicts as a table for people. */
export function tableOf(verdicts: readonly Verdict[]): string {
  const rows = [
    ['figure', 'value', 'threshold', 'verdict'],
    ...verdicts.map(({ figure, value, threshold, isCrossed }) => [
      figure,
      value,
      threshold,
      threshold === '' ? '' : isCrossed ? 'CROSSED' : 'ok',
    ]),
  ]
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
