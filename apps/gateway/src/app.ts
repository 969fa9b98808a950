import { CacheError } from '@repo/cache-broadcast'
import { isDatabaseUnavailable } from '@repo/database'
import { digestOf, findDrift, type Instance, type Log } from '@repo/service'
import { createHono } from '@repo/service/hono'
import type { Sessions } from '@repo/session'
import type { Hono } from 'hono'
import { createFeatureRoutes } from './feature-routes.ts'
import type { FeatureSettings } from './feature-settings.ts'
import type { FindProfile } from './profiles.ts'
import { requireAdministrator, requireSession } from './require-session.ts'

export interface AppDeps {
  sessions: Pick<Sessions, 'validate'>
  settings: FeatureSettings
  findProfile: FindProfile
  instances: () => Promise<Instance[]>
  log: Log
}

/** The gateway's own routes; everything else is forwarded. */
export function createApp({ sessions, settings, findProfile, instances, log }: AppDeps): Hono {
  const app = createHono({ log, isUnavailable })

  app.get('/api/me', async (c) => {
    const { user, session } = await requireSession(sessions, c.req.header('cookie'))
    const profile = await findProfile(user.id).catch((error: unknown) => {
      // Who is signed in is known all the same.
      if (isUnavailable(error)) return undefined
      throw error
    })
    c.header('cache-control', 'private, no-store')
    return c.json({ user: { ...profile, ...user }, session, via: 'session' })
  })

  app.get('/api/cluster', async (c) => {
    await requireAdministrator(sessions, c.req.header('cookie'))
    c.header('cache-control', 'no-store')
    return c.json({ instances: describe(await instances()) })
  })

  app.route(
    '/api/settings',
    createFeatureRoutes({
      settings,
      findProfile,
      requireAdministrator: (cookie) => requireAdministrator(sessions, cookie),
    }),
  )

  return app
}

function isUnavailable(error: unknown): boolean {
  if (error instanceof CacheError) return ['unavailable', 'timeout'].includes(error.code)
  return isDatabaseUnavailable(error)
}

function describe(instances: Instance[]) {
  const drift = findDrift(instances)
  return instances.map(({ fingerprint, ...instance }) => ({
    ...instance,
    fingerprint: digestOf(fingerprint),
    drift: drift.get(instance.id) ?? [],
  }))
}
