import { type PublicSettings, publicSettings as schema } from '@repo/api'
import { withAwakeDeadline } from '@repo/concurrency'
import { cacheLife, cacheTag } from 'next/cache'
import { connection } from 'next/server'
import { cache } from 'react'
import { settings } from '../env.ts'
import { type Answer, noAnswer, toAnswer } from './answer.ts'
import { fetchFrom } from './gateways.ts'

/** On the bus the tag has the same name: whoever ends it there ends what web keeps. */
export const settingsTag = 'settings'

/** No page waits for an announcement as long as for what it is about. */
const deadlineMs = 1_000

const assumed: PublicSettings = { announcement: '', payments: 'open' }

/** What everybody may know of the settings: one read of the API for all requests of all instances. */
async function keptSettings(): Promise<PublicSettings | null> {
  'use cache: remote'
  cacheTag(settingsTag)
  const answer = await askForSettings()
  if (answer.outcome === 'ok') {
    // A change ends it at once; a minute bounds what a change that could not be told leaves behind.
    cacheLife({ stale: 60, revalidate: 60, expire: 3_600 })
    return answer.value
  }
  // Kept nowhere: the next request asks again.
  cacheLife({ stale: 0, revalidate: 0, expire: 0 })
  return null
}

async function askForSettings(): Promise<Answer<PublicSettings>> {
  const path = '/api/settings/public'
  try {
    return await withAwakeDeadline(deadlineMs, async (signal) => {
      const response = await fetchFrom(settings().API_URL, path, {
        headers: { accept: 'application/json' },
        cache: 'no-store',
        signal,
      })
      return toAnswer(response, await response.json(), schema)
    })
  } catch (error) {
    console.warn({ event: 'api_no_answer', path, error: String(error) }, 'the API did not answer')
    return noAnswer
  }
}

/** The settings in force, or what holds where nobody set any while the API is away. */
export const publicSettings = cache(async (): Promise<PublicSettings> => {
  // Not for the build to know.
  await connection()
  return (await keptSettings()) ?? assumed
})
