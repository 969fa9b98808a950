import { setTimeout as pause } from 'node:timers/promises'
import type { Bus } from '@repo/cache-broadcast'
import { createOutbox } from '@repo/cache-broadcast/outbox'
import type { DatabaseConnection } from '@repo/database'
import type { ConnectionLog, RedisConnection } from '@repo/redis'
import { createCallers } from './callers.ts'
import { createClaims } from './claims.ts'
import type { CookieOptions, CookieSite } from './cookie.ts'
import { createDatabaseClock } from './database-clock.ts'
import { listDevices } from './devices.ts'
import { createMetrics } from './metrics.ts'
import { describe } from './observability.ts'
import { CACHE, createReader } from './reader.ts'
import { createRevocations } from './revocations.ts'
import { createRevoke } from './revoke.ts'
import { createRotate } from './rotate.ts'
import type { Sessions } from './sessions-api.ts'
import { createSettle } from './settle.ts'
import { createSource } from './source.ts'
import { createTouches } from './touches.ts'
import { createTrust } from './trust.ts'
import { createValidate } from './validate.ts'

const DAY_MS = 86_400_000

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

/**
 * Who is calling, from the session cookie. PostgreSQL is the only truth; what is cached of it is
 * believed only by an instance that would have heard of a revocation.
 */
export function createSessions(options: SessionsOptions): Sessions {
  const { database, bus, redis, secret, acceptedSecrets = [], log } = options
  const site: CookieSite = { secure: options.secure, port: options.port }
  const { ttlMs = 300_000, cookieMs = 60_000, maxEntries = 10_000, graceMs = 20_000 } = options
  const { idleMs = 7 * DAY_MS, lifetimeMs = 30 * DAY_MS, relayMs = 500, touchMs = 30_000 } = options
  const link = bus?.link
  const clock = createDatabaseClock(link ? () => link.clock.turn() : () => performance.now())
  const metrics = createMetrics({ redis, log })
  const { counters } = metrics
  const outbox =
    bus && createOutbox({ bus, db: database.db, everyMs: relayMs, ...(log && { log }) })
  const settle = createSettle({ bus, outbox, counters })
  const revoke = createRevoke(database, settle)
  const { find, statements } = createSource({
    ...{ database, clock, counters, lifetimeMs, graceMs },
    async onReuse(sessionId) {
      log?.warn({ event: 'session.reuse', sessionId }, 'a replaced token came back: revoked')
      await revoke({ sessionId })
    },
  })
  const reader = createReader({ bus, find, ttlMs, maxEntries, log })
  const claims = createClaims([secret, ...acceptedSecrets])
  const callers = createCallers({ secret, acceptedSecrets, ...site, claims, cookieMs, maxEntries })
  const revocations =
    link && createRevocations({ link, cache: CACHE, keepMs: cookieMs * 1.5, maxEntries })
  const trust = bus && outbox && createTrust({ bus, outbox, onHearing: () => revocations?.begin() })
  const heard = trust && revocations && { trust, revocations, applied: () => link.applied() }
  const onSeen = (userId: string) => metrics.noteUser(userId)
  const touches = createTouches({ database, idleMs, lifetimeMs, everyMs: touchMs, onSeen, log })

  /** Waits until what is cached may be believed. */
  async function trusted(timeoutMs: number): Promise<void> {
    if (!bus || !trust) return
    const untilMs = performance.now() + timeoutMs
    await bus.ready(timeoutMs)
    while (!trust.holds() && performance.now() < untilMs) {
      await trust.regain()
      if (!trust.holds()) await pause(5)
    }
  }

  return {
    validate: createValidate({
      ...{ callers, claims, reader, heard, clock, counters, cookieMs, ...site },
      onSeen: (live) => touches.note(live),
      log,
    }),
    settle,
    revoke,
    rotate: createRotate(database, secret, settle),
    list: (userId) => listDevices(database, userId),
    noteLogin: () => metrics.noteLogin(),
    cache: reader.cache,
    async observability({ scope = 'cluster' } = {}) {
      const cluster = scope === 'cluster' ? await metrics.cluster() : undefined
      const backend = bus && redis ? 'redis' : 'in-memory'
      const size = reader.cache?.stats().entries ?? 0
      const cache = { size, maxSize: maxEntries, ttlMs, backend } as const
      return {
        scope: cluster ? 'cluster' : 'instance',
        ...describe(cluster ?? metrics.own(), cache),
      }
    },
    async ready(timeoutMs = 2_000) {
      const ends = await Promise.allSettled([trusted(timeoutMs), database.warm(statements)])
      for (const end of ends) if (end.status === 'rejected') throw end.reason
    },
    async close() {
      await Promise.all([touches.close(), metrics.close(), outbox?.close()])
      revocations?.detach()
      reader.close()
    },
  }
}
