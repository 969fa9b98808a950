import { featureSettings, type publicSettings, type ResponseBody, settingRequests } from '@repo/api'
import { ProblemError, readJson } from '@repo/service/hono'
import { Hono } from 'hono'
import { z } from 'zod'
import { administratorOf, type Own } from '../caller.ts'
import type { FindProfile } from '../people/profiles.ts'
import type { FeatureSettings, Setting } from './feature-settings.ts'

/** What the routes need. */
export interface FeatureRoutes {
  settings: FeatureSettings
  findProfile: FindProfile
}

/** Settings: what is in force for everybody to read, and for administrators to change. */
export function createFeatureRoutes({ settings, findProfile }: FeatureRoutes): Hono<Own> {
  const app = new Hono<Own>()

  async function withName(setting: Setting) {
    const by = setting.updatedBy === null ? undefined : await findProfile(setting.updatedBy)
    return { ...setting, updatedBy: by?.name ?? null }
  }

  app.get('/public', async (c) => {
    c.header('cache-control', 'no-store')
    return c.json((await settings.values()) satisfies ResponseBody<typeof publicSettings>)
  })

  app.get('/', async (c) => {
    administratorOf(c)
    return c.json({ settings: await Promise.all((await settings.list()).map(withName)) })
  })

  app.put('/:name', async (c) => {
    const { user } = administratorOf(c)
    const name = z.enum(['announcement', 'payments']).safeParse(c.req.param('name')).data
    if (!name) {
      const known = Object.keys(featureSettings).join(', ')
      const detail = `There is no such setting; there are: ${known}.`
      throw new ProblemError({ status: 404, code: 'not-found', detail })
    }
    const { value } = await readJson(c, settingRequests[name])
    const { setting, delivery } = await settings.set(name, value, user.id)
    return c.json({ setting: await withName(setting), delivery })
  })

  return app
}
