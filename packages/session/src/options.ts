import type { Bus } from '@repo/cache-broadcast'
import type { DatabaseConnection } from '@repo/database'
import type { ConnectionLog, RedisConnection } from '@repo/redis'
import { checkNumber, type Range, readOnce } from './checks.ts'
import { checkCookieOptions, type CookieOptions } from './cookie/cookie-options.ts'
import { SessionError } from './errors.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** What sessions need; see the README for the defaults. */
export interface SessionsOptions extends CookieOptions {
  database: DatabaseConnection
  /** Named `platform`, as the database's triggers say. Without it every check is a query. */
  bus?: Bus | undefined
  /** Where the cluster's figures are kept; without it there are this instance's only. */
  redis?: RedisConnection | undefined
  /** For how long what is cached is believed, if nothing is heard. */
  ttlMs?: number
  /** For how long a second cookie is good; 0: none is given out. */
  cookieMs?: number
  /** For how long an unused session lives on, and any session at most. */
  idleMs?: number
  lifetimeMs?: number
  /** For how long the token before a rotation is good. */
  graceMs?: number
  /** Sessions, and `Cookie` headers, that this process keeps. */
  maxEntries?: number
  /** How often revocations that are left are looked for, and seen sessions written, in ms. */
  relayMs?: number
  touchMs?: number
  log?: ConnectionLog | undefined
}

const DEFAULTS = {
  ttlMs: 300_000,
  cookieMs: 60_000,
  idleMs: 7 * DAY_MS,
  lifetimeMs: 30 * DAY_MS,
  graceMs: 20_000,
  maxEntries: 10_000,
  relayMs: 500,
  touchMs: 30_000,
}

const NUMBERS = [
  'ttlMs',
  'cookieMs',
  'idleMs',
  'lifetimeMs',
  'graceMs',
  'maxEntries',
  'relayMs',
  'touchMs',
] as const

const RANGES: Record<keyof typeof DEFAULTS, Range> = {
  ttlMs: { min: 1, max: 8 * HOUR_MS },
  cookieMs: { min: 0, max: DAY_MS },
  idleMs: { min: 1, max: 3_650 * DAY_MS },
  lifetimeMs: { min: 1, max: 3_650 * DAY_MS },
  graceMs: { min: 0, max: HOUR_MS },
  maxEntries: { min: 1, max: 10_000_000, isInteger: true },
  relayMs: { min: 1, max: DAY_MS },
  touchMs: { min: 1, max: DAY_MS },
}

/** Fills in the defaults, and checks every option. @throws SessionError `bad-option` */
export function readOptions(given: SessionsOptions) {
  const options = readOnce('bad-option', 'options', given)
  checkCookieOptions(options)
  const { database, bus, redis, log } = options
  requireParts('database', database, ['pool', 'db', 'warm'])
  if (bus !== undefined) requireParts('bus', bus, ['link', 'emit', 'ready'])
  if (redis !== undefined) requireParts('redis', redis, ['call', 'keyspace'])
  if (log !== undefined) requireParts('log', log, ['info', 'warn'])
  return { ...options, ...readNumbers(options) }
}

function readNumbers(options: SessionsOptions): typeof DEFAULTS {
  const numbers = { ...DEFAULTS }
  for (const name of NUMBERS) {
    const value = options[name]
    if (value === undefined) continue
    checkNumber('bad-option', name, value, RANGES[name])
    numbers[name] = value
  }
  return numbers
}

/** @throws SessionError `bad-option` unless the value has all parts, and reading them does not throw */
export function requireParts(name: string, value: unknown, parts: readonly string[]): void {
  if (hasParts(value, parts)) return
  throw new SessionError('bad-option', `${name} must have ${parts.join(', ')}`)
}

function hasParts(value: unknown, parts: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  try {
    return parts.every((part) => Reflect.get(value, part) !== undefined)
  } catch {
    return false
  }
}
