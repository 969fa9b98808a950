import { unwatchFile, watchFile } from 'node:fs'
import { type Bus, cacheFigures, createCache } from '@repo/cache-broadcast'
import { retryInBackground } from '@repo/concurrency'
import type { Log, Metrics } from '@repo/observability'
import { groupIp } from '@repo/ratelimit'
import { z } from 'zod'
import { readGeoFile } from './geo-file.ts'

/** The tag of every cached address. */
const TAG = 'whois'
const TTL_MS = 8 * 3_600_000

const entry = z.object({ country: z.string().nullable() })

/** The facts about addresses. */
export interface WhoIs {
  /**
   * The country of an address as an ISO 3166-1 code; undefined if it is not found. It is returned at
   * once if this instance has it in memory. A failure is logged, and returns undefined.
   */
  countryOf(ip: string): string | undefined | Promise<string | undefined>
  close(): void
}

/**
 * Finds countries in a database file, through a cache of all instances: every instance returns the
 * same country for an address, also while their files differ. An instance that reads a changed file
 * ends all cached answers, so no answer from before the last change remains.
 *
 * @param path the file, which is read again after each change; after a faulty change, which is logged,
 * the data from before it stays in use
 * @throws Error for a file that is missing or faulty at the start
 */
export async function createWhoIs({
  path,
  bus,
  metrics,
  log,
  watchMs = 5_000,
}: {
  path: string
  bus: Bus
  metrics: Pick<Metrics, 'observe'>
  log: Log
  watchMs?: number
}): Promise<WhoIs> {
  let findCountry = await readGeoFile(path)
  let stopRetry: (() => void) | undefined
  const cache = createCache({
    bus,
    name: 'whois',
    ttlMs: TTL_MS,
    localTtlMs: TTL_MS,
    parse: (value) => entry.parse(value),
    tags: () => [TAG],
    // An IPv6 network has one key: a client could otherwise fill the cache with its addresses.
    load: async (key) => ({ country: findCountry(key.replace('/64', '')) ?? null }),
  })
  metrics.observe(cacheFigures(cache))

  async function reload(): Promise<void> {
    try {
      findCountry = await readGeoFile(path)
    } catch (error) {
      log.warn(
        { event: 'geo.invalid', err: error },
        'the last good database of countries is in use',
      )
      return
    }
    // Answers that another instance read from the old file are cached until its own change.
    stopRetry?.()
    stopRetry = retryInBackground({
      task: 'geo.changed',
      work: () => bus.invalidateTag(TAG),
      lastMs: 2_000,
      log,
    })
    log.info({ event: 'geo.changed' }, 'a changed database of countries is in use')
  }

  async function lookUp(key: string): Promise<string | undefined> {
    try {
      return (await cache.get(key))?.country ?? undefined
    } catch (error) {
      log.warn({ event: 'geo.failed', err: error }, 'the country of an address cannot be found')
      return undefined
    }
  }

  watchFile(path, { interval: watchMs, persistent: false }, () => void reload())
  return {
    countryOf(ip) {
      const key = groupIp(ip, 64)
      const cached = cache.peek(key)
      return cached ? (cached.country ?? undefined) : lookUp(key)
    },
    close() {
      unwatchFile(path)
      stopRetry?.()
      cache.close()
    },
  }
}
