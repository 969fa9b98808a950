import { AxeBuilder } from '@axe-core/playwright'
import { expect, type Page, test } from '@playwright/test'
import { administrator, signUp, somebody } from '../person.ts'

/** Both widths and both themes, each once. */
const LOOKS = [
  { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
  { viewport: { width: 1440, height: 900 }, colorScheme: 'light' },
] as const

/** No violation that axe finds, no sideways scrolling, no error in the console. */
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

for (const look of LOOKS) {
  test.describe(`${look.viewport.width} px, ${look.colorScheme}`, () => {
    test.use(look)

    test('every page is accessible and fits', async ({ page }) => {
      for (const path of ['/', '/sign-in', '/sign-up', '/replicas']) await expectSound(page, path)
      await signUp(page, somebody())
      for (const path of ['/account', '/payments', '/replicas']) await expectSound(page, path)
    })
  })
}

test('an administrator sees every live instance; others see who served them', async ({ page }) => {
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
  await signUp(page, somebody())
  await page.goto('/payments')
  await page.getByLabel('Amount').fill('7.25')
  await page.getByLabel('Reference').fill('by form alone')
  await page.getByRole('button', { name: 'Pay' }).click()
  await expect(page.getByRole('main')).toContainText('by form alone')
  await page.goto('/account')
  await page.getByRole('button', { name: 'Sign out', exact: true }).first().click()
  await page.goto('/account')
  await expect(page).toHaveURL(/\/sign-in/)
  await context.close()
})
