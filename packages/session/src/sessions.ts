import { setTimeout as pause } from 'node:timers/promises'
import { createOutbox } from '@repo/outbox'
import { checkNumber, checkOneOf, readOnce } from './checks.ts'
import { createCallers } from './cookie/callers.ts'
import type { CookieSite } from './cookie/cookie-options.ts'
import { createClaims } from './cookie/second-cookie.ts'
import { listDevices } from './devices.ts'
import { CACHE, createCachedLookup } from './lookup/cached-lookup.ts'
import { createDatabaseClock } from './lookup/database-clock.ts'
import { createPostgresLookup } from './lookup/postgres-lookup.ts'
import { createMetrics } from './metrics/metrics.ts'
import { describeFigures } from './metrics/observability.ts'
import { readOptions, type SessionsOptions } from './options.ts'
import { checkStores } from './revoke/health-check.ts'
import { createRevocations } from './revoke/recent-revocations.ts'
import { createRevoke } from './revoke/revoke.ts'
import { createRotate } from './revoke/rotate.ts'
import { createSettle } from './revoke/settle.ts'
import { createTrust } from './revoke/trust.ts'
import { createWaitingRevocations } from './revoke/waiting-revocations.ts'
import { createTouches } from './touches.ts'
import type { Sessions } from './types.ts'
import { createValidate } from './validate.ts'

const SCOPES = ['cluster', 'instance']
/** The range of the timeout of `ready`, as of the bus. */
const READY_MS = { min: 1, max: 3_600_000, isInteger: true }

/**
 * Identifies callers by the session cookie. PostgreSQL has the truth. An instance uses cached sessions
 * only while it receives every revocation.
 *
 * @throws SessionError `bad-option`, which names the option
 */
export function createSessions(given: SessionsOptions): Sessions {
  const options = readOptions(given)
  const { database, bus, redis, secret, acceptedSecrets = [], log, trace } = options
  const site: CookieSite = { secure: options.secure, port: options.port }
  const { ttlMs, cookieMs, maxEntries, graceMs, idleMs, lifetimeMs, relayMs, touchMs } = options
  const link = bus?.link
  const clock = createDatabaseClock(link ? () => link.clock.turn() : () => performance.now())
  const metrics = createMetrics({ redis, log })
  const { counters, outcomes } = metrics
  const outbox =
    bus && createOutbox({ bus, db: database.db, everyMs: relayMs, ...(log && { log }), trace })
  const waiting = createWaitingRevocations(outbox && (() => outbox.lastEmpty()))
  const settle = createSettle({ bus, outbox, counters, waiting })
  const revoke = createRevoke(database, settle)
  const { find, statements } = createPostgresLookup({
    database,
    clock,
    counters,
    lifetimeMs,
    graceMs,
    async onReuse(sessionId) {
      log?.warn(
        { event: 'session.reuse', sessionId },
        'a replaced token was used again, and its session is revoked',
      )
      await revoke({ sessionId })
    },
  })
  const lookup = createCachedLookup({ bus, find, ttlMs, maxEntries, log })
  const claims = createClaims([secret, ...acceptedSecrets])
  const callers = createCallers({ secret, acceptedSecrets, ...site, claims, cookieMs, maxEntries })
  const revocations =
    link && createRevocations({ link, cache: CACHE, keepMs: cookieMs * 1.5, maxEntries })
  const trust =
    bus && outbox && createTrust({ bus, outbox, onJoin: () => revocations?.begin(), log })
  const trusted = trust && revocations && { trust, revocations, applied: () => link.applied() }
  const onSeen = (userId: string) => metrics.noteUser(userId)
  const touches = createTouches({ database, idleMs, lifetimeMs, everyMs: touchMs, onSeen, log })

  /** Waits until cached sessions are trusted (S4). */
  async function untilTrusted(timeoutMs: number): Promise<void> {
    if (!bus || !trust) return
    const untilMs = performance.now() + timeoutMs
    await bus.ready(timeoutMs)
    while (!trust.holds() && performance.now() < untilMs) {
      await trust.regain()
      if (!trust.holds()) await pause(5)
    }
  }

  return {
    ...createValidate({
      ...site,
      callers,
      claims,
      lookup,
      trusted,
      clock,
      counters,
      outcomes,
      cookieMs,
      onSeen: (live) => touches.note(live),
    }),
    settle,
    revoke,
    rotate: createRotate(database, secret, settle),
    list: (userId, listOptions) => listDevices(database, userId, listOptions),
    noteLogin: () => metrics.noteLogin(),
    cache: lookup.cache,
    clock,
    trust,
    stats() {
      const { memo, cookie, redis: fromRedis, database: fromDatabase, pending } = counters
      return {
        tiers: { memo, cookie, redis: fromRedis, database: fromDatabase },
        outcomes: { ...outcomes },
        pendingRevocations: waiting.count(),
        delayedRevocations: pending,
      }
    },
    outbox,
    async observability(which = {}) {
      const { scope = 'cluster' } = readOnce('bad-argument', 'options', which)
      checkOneOf('scope', scope, SCOPES)
      const cluster = scope === 'cluster' ? await metrics.cluster() : undefined
      const backend = bus && redis ? 'redis' : 'in-memory'
      const size = lookup.cache?.stats().entries ?? 0
      const cache = { size, maxSize: maxEntries, ttlMs, backend } as const
      return {
        scope: cluster ? 'cluster' : 'instance',
        ...describeFigures(cluster ?? metrics.instance(), cache),
      }
    },
    async ready(timeoutMs = 2_000) {
      checkNumber('bad-argument', 'timeoutMs', timeoutMs, READY_MS)
      const ends = await Promise.allSettled([untilTrusted(timeoutMs), database.warm(statements)])
      for (const end of ends) if (end.status === 'rejected') throw end.reason
    },
    check: () => checkStores(bus, trust),
    async close() {
      await Promise.all([touches.close(), metrics.close(), outbox?.close()])
      revocations?.detach()
      lookup.close()
    },
  }
}
