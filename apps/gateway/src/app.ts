import type { cluster, me, ResponseBody } from '@repo/api'
import type { Log } from '@repo/observability'
import type { RateLimiter } from '@repo/ratelimit'
import { digestOf, findDrift, type Instance } from '@repo/service'
import { createHono } from '@repo/service/hono'
import type { Sessions } from '@repo/session'
import type { Context, Hono } from 'hono'
import { administratorOf, callerOf, keyOf, type RouteEnv } from './caller.ts'
import type { Keys } from './keys/keys.ts'
import { createKeyRoutes } from './keys/routes.ts'
import type { PublishedLimits } from './limits/published-limits.ts'
import { createLimitRoutes } from './limits/routes.ts'
import { createReferenceRoutes, type DocumentedSite } from './openapi/routes.ts'
import type { FindProfile } from './people/profiles.ts'
import { createSessionRoutes } from './sessions/routes.ts'
import type { FeatureSettings } from './settings/feature-settings.ts'
import { createFeatureRoutes } from './settings/routes.ts'
import { isUnavailable } from './unavailable.ts'

export interface AppDeps {
  sessions: Pick<Sessions, 'list' | 'revoke' | 'observability'>
  keys: Pick<Keys, 'list' | 'create' | 'revoke'>
  settings: FeatureSettings
  findProfile: FindProfile
  instances: () => Promise<Instance[]>
  limiter: Pick<RateLimiter, 'report' | 'block' | 'reset'>
  limits: Pick<PublishedLimits, 'current' | 'set'>
  /** The facts about the site in the API reference. */
  site: DocumentedSite
  log: Log
}

/** The routes that the gateway serves itself. */
export function createApp(deps: AppDeps): Hono<RouteEnv> {
  const { sessions, keys, settings, findProfile, instances, limiter, limits, site, log } = deps
  const app = createHono<RouteEnv>({ log, isUnavailable })

  app.get('/api/me', async (c) => {
    const { user, ...proof } = proofOf(c)
    const profile = await findProfile(user.id).catch((error: unknown) => {
      // The session check has the other fields of the user.
      if (isUnavailable(error)) return undefined
      throw error
    })
    return c.json({
      user: { ...profile, ...user },
      ...proof,
    } satisfies ResponseBody<typeof me>)
  })

  app.get('/api/cluster', async (c) => {
    administratorOf(c)
    const body = { instances: describe(await instances()) }
    return c.json(body satisfies ResponseBody<typeof cluster>)
  })

  app.get('/api/observability', async (c) => {
    administratorOf(c)
    const scope = c.req.query('scope') === 'instance' ? 'instance' : 'cluster'
    return c.json(await sessions.observability({ scope }))
  })

  app.route('/api', createReferenceRoutes(site))
  app.route('/api/sessions', createSessionRoutes({ sessions }))
  app.route('/api/keys', createKeyRoutes({ keys }))
  app.route('/api/limits', createLimitRoutes({ limiter, limits }))
  app.route('/api/settings', createFeatureRoutes({ settings, findProfile }))
  return app
}

/** The user of the caller, and how the caller proved to act for this user. */
function proofOf(c: Context<RouteEnv>) {
  const key = keyOf(c)
  if (!key) {
    const { user, session, actor } = callerOf(c)
    return { user, session, actor, via: 'session' }
  }
  c.header('cache-control', 'private, no-store')
  const { id, name, scopes, userId, userName, email } = key
  const user = { id: userId, name: userName, email, role: 'user' }
  return { user, key: { id, name, scopes: [...scopes] }, via: 'api-key' }
}

function describe(instances: Instance[]) {
  const drift = findDrift(instances)
  return instances.map(({ fingerprint, ...instance }) => ({
    ...instance,
    fingerprint: digestOf(fingerprint),
    drift: drift.get(instance.id) ?? [],
  }))
}
