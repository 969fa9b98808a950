import { type APIRequestContext, expect } from '@playwright/test'
import { EDGE, instancesOf, type RunningInstance } from './cluster.ts'
import { administrator, signIn } from './person.ts'

/** Signs in as the administrator; the context sends its cookie to every instance. */
export async function signInAsAdministrator(request: APIRequestContext): Promise<void> {
  const response = await signIn(request, administrator)
  expect(response.status(), await response.text()).toBe(200)
}

/** Changes a setting at one gateway directly, without the edge and web. */
export async function putSetting(
  request: APIRequestContext,
  { url }: RunningInstance,
  name: 'announcement' | 'payments',
  value: string,
): Promise<void> {
  const response = await request.put(`${url}/api/settings/${name}`, {
    data: { value },
    headers: { origin: EDGE },
  })
  expect(response.status(), await response.text()).toBe(200)
}

/** The announcement in a page of one web instance. */
export async function announcementOf({ url }: RunningInstance): Promise<string> {
  const html = await (await fetch(`${url}/sign-in`)).text()
  return /<aside aria-label="Announcement".*?<span[^>]*>(.*?)<\/span>/s.exec(html)?.[1] ?? ''
}

/** The announcement in a page of each web instance, requested at the same time. */
export function announcementsOfWeb(): Promise<Record<string, string>> {
  return readAll('web', announcementOf)
}

/** The announcement that each gateway returns, requested at the same time. */
export function announcementsOfGateways(): Promise<Record<string, string>> {
  return readAll('gateway', async ({ url }) => {
    const response = await fetch(`${url}/api/settings/public`)
    const { announcement }: { announcement: string } = await response.json()
    return announcement
  })
}

/** Reads a text from every instance of an app at its URL, by id. */
async function readAll(
  app: RunningInstance['app'],
  read: (instance: RunningInstance) => Promise<string>,
): Promise<Record<string, string>> {
  const answers = instancesOf(app).map(
    async (instance) => [instance.id, await read(instance)] as const,
  )
  return Object.fromEntries(await Promise.all(answers))
}

/** The same text for each of the three instances of an app. */
export function onEach(app: RunningInstance['app'], text: string): Record<string, string> {
  return Object.fromEntries([1, 2, 3].map((n) => [`${app}-${n}`, text]))
}
