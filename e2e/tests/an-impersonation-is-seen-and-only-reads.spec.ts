import { AxeBuilder } from '@axe-core/playwright'
import { type APIRequestContext, expect, test } from '@playwright/test'
import { EDGE, instancesOf } from '../cluster.ts'
import { register, signIn, newPerson } from '../person.ts'
import { signInAsAdministrator } from '../settings.ts'

const PAGES = ['/', '/replicas', '/payments', '/account', '/no-such-page']
const headers = { origin: EDGE }

/** The status that each gateway returns for the cookies of a browser. */
async function statuses(request: APIRequestContext): Promise<number[]> {
  const requests = instancesOf('gateway').map(async ({ url }) => {
    const response = await request.get(`${url}/api/me`)
    return response.status()
  })
  return Promise.all(requests)
}

/** Makes the administrator act for a new user, and returns the user. */
async function impersonate(request: APIRequestContext, userRequest: APIRequestContext) {
  const person = newPerson()
  await register(userRequest, person)
  const { user } = await (await userRequest.get(`${EDGE}/api/me`)).json()
  await signInAsAdministrator(request)
  const data = { userId: user.id }
  const begun = await request.post(`${EDGE}/api/auth/admin/impersonate-user`, { data, headers })
  expect(begun.status(), await begun.text()).toBe(200)
  return { ...person, id: String(user.id) }
}

for (const look of [
  { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
  { viewport: { width: 1440, height: 900 }, colorScheme: 'light' },
] as const) {
  test.describe(`${look.viewport.width} px, ${look.colorScheme}`, () => {
    test.use(look)

    test('every page shows which administrator acts for which user, and how to stop', async ({
      page,
      request,
    }) => {
      const person = await impersonate(page.request, request)
      for (const path of PAGES) {
        await page.goto(path)
        const banner = page.getByRole('complementary', { name: 'Impersonation' })
        await expect(banner).toContainText(person.name)
        await expect(banner).toContainText('Grace Hopper')
        const { violations } = await new AxeBuilder({ page }).analyze()
        expect(violations.map(({ id }) => `${path} ${id}`)).toEqual([])
        const overflow = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        )
        expect(overflow).toBeLessThanOrEqual(0)
      }
      await page.getByRole('button', { name: 'Stop impersonating' }).click()
      await expect(page).toHaveURL(/\/users/)
      await expect(page.getByRole('complementary', { name: 'Impersonation' })).toHaveCount(0)
      expect(await statuses(page.request)).toEqual([200, 200, 200])
    })
  })
}

test('a payment by an administrator who acts for a user is refused by every gateway', async ({
  request,
  playwright,
}) => {
  const userRequest = await playwright.request.newContext()
  await impersonate(request, userRequest)
  for (const { url } of instancesOf('gateway')) {
    const data = { amount: 100, currency: 'EUR', reference: 'not mine' }
    const paid = await request.post(`${url}/api/payments`, { data, headers })
    expect(paid.status()).toBe(403)
    expect(await paid.json()).toMatchObject({ type: 'urn:threefold:problem:impersonating' })
  }
  const listed = await (await userRequest.get(`${EDGE}/api/payments`)).json()
  expect(listed.payments).toEqual([])
  await userRequest.dispose()
})

test('an administrator who signs out acts for no user on any gateway when the response arrives', async ({
  request,
  playwright,
}) => {
  const userRequest = await playwright.request.newContext()
  const person = await impersonate(request, userRequest)
  expect(await statuses(request)).toEqual([200, 200, 200])
  const stored = await request.storageState()
  const out = await request.post(`${EDGE}/api/auth/sign-out`, { data: {}, headers })
  expect(out.status()).toBe(200)
  const thief = await playwright.request.newContext({ storageState: stored })
  expect(await statuses(thief)).toEqual([401, 401, 401])
  expect((await signIn(userRequest, person)).status()).toBe(200)
  await Promise.all([thief, userRequest].map((context) => context.dispose()))
})
