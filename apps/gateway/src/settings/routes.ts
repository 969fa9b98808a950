import { type publicSettings, type ResponseBody, settingRequests } from '@repo/api'
import { ProblemError, readJson } from '@repo/service/hono'
import { Hono } from 'hono'
import { administratorOf, type RouteEnv } from '../caller.ts'
import type { FindProfile } from '../people/profiles.ts'
import { type FeatureSettings, type Setting, settingName } from './feature-settings.ts'

export interface FeatureRoutes {
  settings: FeatureSettings
  findProfile: FindProfile
}

/** Routes of settings: all callers read the values in force, and administrators change them. */
export function createFeatureRoutes({ settings, findProfile }: FeatureRoutes): Hono<RouteEnv> {
  const app = new Hono<RouteEnv>()

  async function withName(setting: Setting) {
    const editor = setting.updatedBy === null ? undefined : await findProfile(setting.updatedBy)
    return { ...setting, updatedBy: editor?.name ?? null }
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
    const name = settingName.safeParse(c.req.param('name')).data
    if (!name) {
      const names = settingName.options.join(', ')
      const detail = `There is no such setting. The settings are ${names}.`
      throw new ProblemError({ status: 404, code: 'not-found', detail })
    }
    const { value } = await readJson(c, settingRequests[name])
    const { setting, delivery } = await settings.set(name, value, user.id)
    return c.json({ setting: await withName(setting), delivery })
  })

  return app
}
