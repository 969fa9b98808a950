import type { PublicSettings } from '@repo/api'
import { cacheLife, cacheTag } from 'next/cache'
import { connection } from 'next/server'
import { cache } from 'react'
import { toAnswer } from './answer.ts'
import { callGateway } from './gateway-call.ts'

/** The tag on the bus. Invalidating it there invalidates the entries that web has cached. */
export const settingsTag = 'settings'

/** Shorter than the deadline of other calls: a page can do without its announcement. */
const deadlineMs = 1_000

const defaults: PublicSettings = { announcement: '', payments: 'open' }

/** The public settings, cached for all requests of all instances. */
async function readCached(): Promise<PublicSettings | null> {
  'use cache: remote'
  cacheTag(settingsTag)
  const answer = await callGateway('GET /api/settings/public', {}, deadlineMs, toAnswer)
  if (answer.outcome === 'ok') {
    // A change invalidates the entry. A minute bounds its age if an invalidation did not arrive.
    cacheLife({ stale: 60, revalidate: 60, expire: 3_600 })
    return answer.value
  }
  // Not cached: the next request tries again.
  cacheLife({ stale: 0, revalidate: 0, expire: 0 })
  return null
}

/** The settings in force, or the defaults while the API is unavailable. */
export const publicSettings = cache(async (): Promise<PublicSettings> => {
  // A build must not read them.
  await connection()
  return (await readCached()) ?? defaults
})
