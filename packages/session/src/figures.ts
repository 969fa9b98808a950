import { COUNTERS, type Counters, createCounters } from './counters.ts'

/** What was counted since when, by one instance or by all. */
export interface Figures {
  sinceMs: number
  nowMs: number
  totals: Counters
  /** By hours since 1970. */
  loginsByHour: Map<number, number>
  lastLoginMs: number | undefined
  activeUsers: number
}

/** From the fields that the cluster's counters lie in. */
export function toFigures([now, users, ...rest]: unknown[]): Figures {
  const figures: Figures = {
    sinceMs: Number(now),
    nowMs: Number(now),
    totals: createCounters(),
    loginsByHour: new Map(),
    lastLoginMs: undefined,
    activeUsers: Number(users),
  }
  for (let at = 0; at < rest.length; at += 2) {
    read(figures, String(rest[at]), Number(rest[at + 1]))
  }
  return figures
}

function read(figures: Figures, field: string, value: number) {
  const [scope, name] = field.split(':')
  if (field === 'since') figures.sinceMs = value
  else if (field === 'login') figures.lastLoginMs = value
  else if (scope === 'total') {
    const counter = COUNTERS.find((it) => it === name)
    if (counter) figures.totals[counter] = value
  } else if (name === 'logins') figures.loginsByHour.set(Number(scope), value)
}
