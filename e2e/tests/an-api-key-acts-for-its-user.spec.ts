import { AxeBuilder } from '@axe-core/playwright'
import { type APIRequestContext, expect, type Page, test } from '@playwright/test'
import { EDGE, instancesOf } from '../cluster.ts'
import { newPerson, signUp } from '../person.ts'
import { signInAsAdministrator } from '../settings.ts'

/** Creates a key in the form of the page, and returns it. */
async function createKey(page: Page, name: string, scopes: string[]): Promise<string> {
  await page.getByRole('textbox', { name: 'Name' }).fill(name)
  for (const scope of scopes) await page.getByRole('checkbox', { name: scope }).check()
  await page.getByRole('button', { name: 'Create key' }).click()
  const box = page.getByLabel('New API key')
  await expect(box).toHaveText(/^tf_/)
  return box.innerText()
}

async function revokeKey(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: `Revoke ${name}` }).click()
  await expect(page.getByRole('status').first()).toContainText('The API key is revoked')
}

/** The status that each gateway returns for a key, requested at the same time. */
async function statuses(request: APIRequestContext, key: string): Promise<number[]> {
  const headers = { authorization: `Bearer ${key}` }
  const requests = instancesOf('gateway').map(async ({ url }) => {
    const response = await request.get(`${url}/api/payments`, { headers })
    return response.status()
  })
  return Promise.all(requests)
}

test('a key of the page is accepted by every gateway within its permissions, and by none after it is revoked', async ({
  page,
  context,
  playwright,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: EDGE })
  const program = await playwright.request.newContext()
  const person = newPerson()
  await signUp(page, person)
  await page.getByRole('link', { name: 'API keys' }).click()
  await expect(page.getByText('You have no API keys.')).toBeVisible()
  const key = await createKey(page, 'Build server', ['payments:read'])
  await page.getByRole('button', { name: 'Copy key' }).click()
  await expect(page.getByText('Copied')).toBeVisible()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(key)

  expect(await statuses(program, key)).toEqual([200, 200, 200])
  const data = { amount: 100, currency: 'EUR', reference: 'by a program' }
  const headers = { 'x-api-key': key }
  const paid = await program.post(`${EDGE}/api/payments`, { data, headers })
  expect(paid.status()).toBe(403)
  expect((await paid.json()).detail).toContain('payments:write')
  await expect(async () => {
    await page.reload()
    await expect(page.getByText('last used')).toBeVisible({ timeout: 1_000 })
  }).toPass()
  expect(await page.content()).not.toContain(key.slice(-43))

  await revokeKey(page, 'Build server')
  expect(await statuses(program, key)).toEqual([401, 401, 401])
  await expect(page.getByText('You have no API keys.')).toBeVisible()
  await program.dispose()
})

test('a ban ends the keys of a user on every gateway before its response, also after it is lifted', async ({
  page,
  playwright,
}) => {
  const [program, administrator] = [
    await playwright.request.newContext(),
    await playwright.request.newContext(),
  ]
  await signInAsAdministrator(administrator)
  await signUp(page, newPerson())
  await page.goto('/account/keys')
  const key = await createKey(page, 'Build server', ['payments:read'])
  expect(await statuses(program, key)).toEqual([200, 200, 200])
  const { user } = await (await page.request.get(`${EDGE}/api/me`)).json()
  for (const action of ['ban-user', 'unban-user']) {
    const response = await administrator.post(`${EDGE}/api/auth/admin/${action}`, {
      data: { userId: user.id },
      headers: { origin: EDGE },
    })
    expect(response.status()).toBe(200)
    expect(await statuses(program, key)).toEqual([401, 401, 401])
  }
  await Promise.all([program.dispose(), administrator.dispose()])
})

test('a person creates and revokes a key with JavaScript off', async ({ browser, playwright }) => {
  const context = await browser.newContext({ javaScriptEnabled: false })
  const program = await playwright.request.newContext()
  const page = await context.newPage()
  await signUp(page, newPerson())
  await page.goto('/account/keys')
  await page.getByRole('textbox', { name: 'Name' }).fill('Build server')
  await page.getByRole('button', { name: 'Create key' }).click()
  await expect(page.getByRole('alert')).toHaveText('No key was created.')
  await expect(page.getByRole('textbox', { name: 'Name' })).toHaveValue('Build server')
  const key = await createKey(page, 'Build server', ['payments:read'])
  await expect(page.getByRole('button', { name: 'Copy key' })).toHaveCount(0)
  expect(await statuses(program, key)).toEqual([200, 200, 200])
  await page.goto('/account/keys')
  await revokeKey(page, 'Build server')
  expect(await statuses(program, key)).toEqual([401, 401, 401])
  await Promise.all([program.dispose(), context.close()])
})

for (const look of [
  { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
  { viewport: { width: 1440, height: 900 }, colorScheme: 'light' },
] as const) {
  test.describe(`${look.viewport.width} px, ${look.colorScheme}`, () => {
    test.use(look)

    test('the page of API keys is accessible and fits the screen, with a new key and a long name', async ({
      page,
    }) => {
      await signUp(page, newPerson())
      await page.goto('/account/keys')
      await createKey(page, 'x'.repeat(60), ['account:read', 'payments:read', 'payments:write'])
      await expect(page.getByRole('heading', { level: 3 })).toHaveText('x'.repeat(60))
      const { violations } = await new AxeBuilder({ page }).analyze()
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([])
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
      expect(overflow).toBeLessThanOrEqual(0)
    })
  })
}
