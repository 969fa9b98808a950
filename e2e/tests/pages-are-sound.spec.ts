import { AxeBuilder } from '@axe-core/playwright'
import { expect, type Page, test } from '@playwright/test'
import { instancesOf } from '../cluster.ts'
import { administrator, signUp, newPerson } from '../person.ts'
import { putSetting, signInAsAdministrator } from '../settings.ts'

/** Both widths and both themes, each once. */
const LOOKS = [
  { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
  { viewport: { width: 1440, height: 900 }, colorScheme: 'light' },
] as const

/**
 * Checks that axe finds no violation, the page does not scroll sideways, and the console has no
 * error.
 */
async function expectSound(page: Page, path: string) {
  const errors: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`${path}: ${message.text()}`)
  })
  page.on('pageerror', (error) => errors.push(`${path}: ${error.message}`))
  await page.goto(path)
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.map(({ id, nodes }) => `${path} ${id}: ${nodes[0]?.html}`)).toEqual([])
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
  expect(overflow, `${path} scrolls sideways by`).toBeLessThanOrEqual(0)
  expect(errors).toEqual([])
}

test.afterEach(async ({ playwright }) => {
  const request = await playwright.request.newContext()
  await signInAsAdministrator(request)
  const [gateway] = instancesOf('gateway')
  await putSetting(request, gateway!, 'payments', 'open')
  await putSetting(request, gateway!, 'announcement', '')
  await request.dispose()
})

for (const look of LOOKS) {
  test.describe(`${look.viewport.width} px, ${look.colorScheme}`, () => {
    test.use(look)

    test('every page is accessible and fits the screen', async ({ page }) => {
      for (const path of ['/', '/sign-in', '/sign-up', '/replicas']) await expectSound(page, path)
      await signUp(page, newPerson())
      for (const path of ['/account', '/account/keys', '/payments', '/replicas'])
        await expectSound(page, path)
    })

    test('the pages of administrators and an announcement are accessible and fit the screen', async ({
      page,
    }) => {
      await signInAsAdministrator(page.request)
      const [gateway] = instancesOf('gateway')
      const text =
        'An announcement that needs two lines on a phone, and has a longwordthatmustbreak'
      await putSetting(page.request, gateway!, 'announcement', text)
      await putSetting(page.request, gateway!, 'payments', 'closed')
      for (const path of ['/settings', '/users', '/limits', '/payments', '/']) {
        await expectSound(page, path)
      }
    })
  })
}

test('a page is sent complete: redirects use status 307, and a missing page is 404', async () => {
  for (const { url } of instancesOf('web')) {
    const account = await fetch(`${url}/account`, { redirect: 'manual' })
    expect(account.status).toBe(307)
    expect(account.headers.get('location')).toContain('/sign-in?next=/account')
    expect((await fetch(`${url}/no-such-page`)).status).toBe(404)

    const home = await fetch(url)
    const nonce = /'nonce-([^']+)'/.exec(home.headers.get('content-security-policy') ?? '')?.[1]
    const scripts = (await home.text()).match(/<script[^>]*>/g) ?? []
    expect(scripts.length).toBeGreaterThan(0)
    expect(scripts.filter((script) => !script.includes(`nonce="${nonce}"`))).toEqual([])
  }
})

test('an administrator sees every live instance on the replicas page', async ({ page }) => {
  await page.goto('/sign-in?next=/replicas')
  await page.getByLabel('E-mail').fill(administrator.email)
  await page.getByLabel('Password').fill(administrator.password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await expect(page).toHaveURL(/\/replicas/)
  for (const app of ['auth', 'gateway', 'payments', 'web']) {
    for (const n of [1, 2, 3]) {
      await expect(page.getByRole('table').getByText(`${app}-${n}`, { exact: true })).toBeVisible()
    }
  }
})

test('a person signs up, pays and signs out with JavaScript off', async ({ browser }) => {
  const context = await browser.newContext({ javaScriptEnabled: false })
  const page = await context.newPage()
  await signUp(page, newPerson())
  await page.goto('/payments')
  await page.getByLabel('Amount').fill('much')
  await page.getByLabel('Reference').fill('by form alone')
  await page.getByRole('button', { name: 'Pay' }).click()
  await expect(page.getByRole('alert')).toHaveText('No payment was made.')
  await expect(page.getByLabel('Reference')).toHaveValue('by form alone')
  await page.getByLabel('Amount').fill('7.25')
  await page.getByRole('button', { name: 'Pay' }).click()
  await expect(page.getByRole('main')).toContainText('by form alone')
  await page.goto('/account')
  await page.getByRole('button', { name: 'Sign out', exact: true }).first().click()
  await page.goto('/account')
  await expect(page).toHaveURL(/\/sign-in/)
  await context.close()
})
