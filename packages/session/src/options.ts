import type { Bus } from '@repo/cache-broadcast'
import type { DatabaseConnection } from '@repo/database'
import type { OutboxTrace } from '@repo/outbox'
import type { ConnectionLog, RedisConnection } from '@repo/redis'
import { checkNumber, type Range, readOnce } from './checks.ts'
import { checkCookieOptions, type CookieOptions } from './cookie/cookie-options.ts'
import { SessionError } from './errors.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** The options of sessions. The README lists the defaults. */
export interface SessionsOptions extends CookieOptions {
  database: DatabaseConnection
  /** The bus named `platform`, to which the triggers of the database write. Without it each check is a query. */
  bus?: Bus | undefined
  /** The store of the figures of the cluster. Without it each instance has its own figures only. */
  redis?: RedisConnection | undefined
  /** The longest time for which a cached session is used without a message. */
  ttlMs?: number
  /** The lifetime of a second cookie; 0 sends none. */
  cookieMs?: number
  /** The time after which an unused session expires, and the longest lifetime of a session. */
  idleMs?: number
  lifetimeMs?: number
  /** The time for which the token before a rotation is valid. */
  graceMs?: number
  /** The number of sessions, and of `Cookie` headers, in the memory of this process. */
  maxEntries?: number
  /** The intervals at which the rest of the outbox is sent, and last-seen times are written, in ms. */
  relayMs?: number
  touchMs?: number
  log?: ConnectionLog | undefined
  /** Spans of the rows of the outbox: `traces.linked` of `@repo/observability`. */
  trace?: OutboxTrace | undefined
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
  const { database, bus, redis, log, trace } = options
  requireParts('database', database, ['pool', 'db', 'warm'])
  if (bus !== undefined) requireParts('bus', bus, ['link', 'emit', 'ready'])
  if (redis !== undefined) requireParts('redis', redis, ['call', 'keyspace'])
  if (log !== undefined) requireParts('log', log, ['info', 'warn'])
  if (trace !== undefined) requireParts('trace', trace, ['current', 'begin'])
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

/** @throws SessionError `bad-option` unless all parts of the value can be read */
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
