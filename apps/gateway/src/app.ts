import { isDatabaseUnavailable } from '@repo/database'
import { digestOf, findDrift, type Instance, type Log, type Registry } from '@repo/service'
import { createHono, ProblemError, unavailable } from '@repo/service/hono'
import type { Session, Sessions, SessionUser } from '@repo/session'
import type { Hono } from 'hono'

export interface AppDeps {
  sessions: Sessions
  registry: Pick<Registry, 'instances'>
  log: Log
}

/** The gateway's own routes; everything else is forwarded. */
export function createApp({ sessions, registry, log }: AppDeps): Hono {
  const app = createHono({ log, isUnavailable: isDatabaseUnavailable })

  app.get('/api/me', async (c) => {
    const { user, session } = await requireSession(sessions, c.req.header('cookie'))
    c.header('cache-control', 'private, no-store')
    return c.json({ user, session, via: 'session' })
  })

  app.get('/api/cluster', async (c) => {
    const { user } = await requireSession(sessions, c.req.header('cookie'))
    if (user.role !== 'admin') {
      throw new ProblemError({
        status: 403,
        code: 'administrators-only',
        detail: 'The cluster is for administrators.',
      })
    }
    c.header('cache-control', 'no-store')
    return c.json({ instances: describe(await registry.instances()) })
  })

  return app
}

/** @throws ProblemError 401 unless signed in, 503 when nobody can say */
export async function requireSession(
  sessions: Sessions,
  cookie: string | undefined,
): Promise<{ session: Session; user: SessionUser }> {
  const check = await sessions.validate(cookie)
  if (check.outcome === 'valid') return check
  // A store that is away signs nobody out: clients drop their session on a 401.
  if (check.outcome === 'unavailable') throw new ProblemError(unavailable)
  throw new ProblemError({ status: 401, code: 'signed-out', detail: 'Sign in to continue.' })
}

function describe(instances: Instance[]) {
  const drift = findDrift(instances)
  return instances.map(({ fingerprint, ...instance }) => ({
    ...instance,
    fingerprint: digestOf(fingerprint),
    drift: drift.get(instance.id) ?? [],
  }))
}
