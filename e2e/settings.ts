import { type APIRequestContext, expect } from '@playwright/test'
import { EDGE, instancesOf, type RunningInstance } from './cluster.ts'
import { administrator, signIn } from './person.ts'

/** Signs in as the administrator; the context keeps the cookie, which goes to every instance. */
export async function signInAsAdministrator(request: APIRequestContext): Promise<void> {
  const response = await signIn(request, administrator)
  expect(response.status(), await response.text()).toBe(200)
}

/** Changes a setting at one gateway, past the edge and past web. */
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

/** What one web instance announces, in a page as it is sent. */
export async function announcedBy({ url }: RunningInstance): Promise<string> {
  const html = await (await fetch(`${url}/sign-in`)).text()
  return /<aside aria-label="Announcement".*?<span[^>]*>(.*?)<\/span>/s.exec(html)?.[1] ?? ''
}

/** What each web instance announces, asked at the same time. */
export function announcedByWeb(): Promise<Record<string, string>> {
  return askAll('web', announcedBy)
}

/** What each gateway says is announced, asked at the same time. */
export function announcedByGateways(): Promise<Record<string, string>> {
  return askAll('gateway', async ({ url }) => {
    const response = await fetch(`${url}/api/settings/public`)
    const { announcement }: { announcement: string } = await response.json()
    return announcement
  })
}

/** Every instance at its own URL, by id. */
async function askAll(
  app: RunningInstance['app'],
  ask: (instance: RunningInstance) => Promise<string>,
): Promise<Record<string, string>> {
  const answers = instancesOf(app).map(
    async (instance) => [instance.id, await ask(instance)] as const,
  )
  return Object.fromEntries(await Promise.all(answers))
}

/** What three instances of an app answer when all say the same. */
export function allSay(app: RunningInstance['app'], text: string): Record<string, string> {
  return Object.fromEntries([1, 2, 3].map((n) => [`${app}-${n}`, text]))
}
