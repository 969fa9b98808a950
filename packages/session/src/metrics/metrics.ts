import { type BackgroundLog, repeat } from '@repo/concurrency'
import { type RedisConnection, RedisError, runScript } from '@repo/redis'
import { COUNTERS, createCounters, type OutcomeCounters } from './counters.ts'
import { type Figures, toFigures } from './figures.ts'
import { sessionKeys } from './keys.ts'
import { readReport, report } from './scripts.ts'

/** The maximum of users in one report. The next report has the others. */
const MAX_USERS = 1_000

/** Counts in this instance, and adds the counts to those of the cluster every few seconds. */
export function createMetrics({
  redis,
  everyMs = 5_000,
  log,
}: {
  redis: RedisConnection | undefined
  everyMs?: number
  log?: BackgroundLog | undefined
}) {
  const keys = redis ? sessionKeys(redis) : []
  const counters = createCounters()
  const outcomes: OutcomeCounters = { valid: 0, none: 0, expired: 0, revoked: 0, unavailable: 0 }
  const sinceMs = Date.now()
  let reported = createCounters()
  let seen = new Set<string>()
  const users = new Map<string, number>()
  const loginsByHour = new Map<number, number>()
  let lastLoginMs: number | undefined

  async function flush(): Promise<void> {
    if (!redis) return
    const upTo = { ...counters }
    const since = reported
    const counts = COUNTERS.map((name) => [name, upTo[name] - since[name]] as const)
    const changed = counts.filter(([, count]) => count > 0)
    const ids = [...seen].slice(0, MAX_USERS)
    if (changed.length === 0 && ids.length === 0) return
    reported = upTo
    for (const id of ids) seen.delete(id)
    const args = [changed.length, ...changed.flat(), ...ids]
    try {
      await redis.call((client) => runScript(client, report, keys, args))
    } catch (error) {
      // A call that was not sent is repeated with the next report. Any other call may have counted.
      if (error instanceof RedisError && error.code === 'unavailable') reported = since
      throw error
    }
  }

  const flushing = repeat({ task: 'session.metrics', work: flush, everyMs, log })

  function instance(): Figures {
    const nowMs = Date.now()
    for (const [id, atMs] of users) if (nowMs - atMs > 3_600_000) users.delete(id)
    const totals = { ...counters }
    return { sinceMs, nowMs, totals, loginsByHour, lastLoginMs, activeUsers: users.size }
  }

  return {
    counters,
    outcomes,
    instance,
    noteLogin(): void {
      counters.logins += 1
      lastLoginMs = Date.now()
      const hour = Math.floor(lastLoginMs / 3_600_000)
      loginsByHour.set(hour, (loginsByHour.get(hour) ?? 0) + 1)
      loginsByHour.delete(hour - 24)
    },
    noteUser(id: string): void {
      if (users.size < 100_000) users.set(id, Date.now())
      if (seen.size < MAX_USERS * 10) seen.add(id)
    },
    flush: () => flushing.run(),
    /** Returns undefined without Redis, or while Redis is unavailable. */
    async cluster(): Promise<Figures | undefined> {
      if (!redis) return undefined
      await flushing.run()
      try {
        const read = await redis.call((client) => runScript(client, readReport, keys))
        return Array.isArray(read) ? toFigures(read) : undefined
      } catch (error) {
        if (!(error instanceof RedisError)) throw error
        return undefined
      }
    },
    async close(): Promise<void> {
      await flushing.close()
      await flushing.run()
    },
  }
}
