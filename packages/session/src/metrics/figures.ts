import { COUNTERS, type Counters, createCounters } from './counters.ts'

/** The figures of one instance or of the cluster, and the time since which they are counted. */
export interface Figures {
  sinceMs: number
  nowMs: number
  totals: Counters
  /** The keys are hours since 1970. */
  loginsByHour: Map<number, number>
  lastLoginMs: number | undefined
  activeUsers: number
}

/**
 * Reads the figures from the fields of the counters in Redis. A field that another release wrote in
 * another form is left out and changes no other figure.
 */
export function toFigures([now, users, ...rest]: unknown[]): Figures {
  const figures: Figures = {
    sinceMs: toCount(now),
    nowMs: toCount(now),
    totals: createCounters(),
    loginsByHour: new Map(),
    lastLoginMs: undefined,
    activeUsers: toCount(users),
  }
  for (let at = 0; at < rest.length; at += 2) {
    read(figures, String(rest[at]), Number(rest[at + 1]))
  }
  return figures
}

function read(figures: Figures, field: string, value: number) {
  if (!isCount(value)) return
  const [scope = '', name] = field.split(':')
  if (field === 'since') figures.sinceMs = Math.min(value, figures.nowMs)
  else if (field === 'login') figures.lastLoginMs = Math.min(value, figures.nowMs)
  else if (scope === 'total') {
    const counter = COUNTERS.find((each) => each === name)
    if (counter) figures.totals[counter] = value
  } else if (name === 'logins') readHour(figures, Number(scope), value)
}

/** A later release may count by minutes or days. Such a number is not an hour of the last day. */
function readHour(figures: Figures, hour: number, logins: number) {
  const newest = Math.floor(figures.nowMs / 3_600_000)
  if (Number.isInteger(hour) && hour > newest - 24 && hour <= newest) {
    figures.loginsByHour.set(hour, logins)
  }
}

function toCount(value: unknown): number {
  const count = Number(value)
  return isCount(count) ? count : 0
}

function isCount(value: number): boolean {
  return Number.isFinite(value) && value >= 0
}
