import { randomUUID } from 'node:crypto'
import { expect, type Page, test } from '@playwright/test'
import { EDGE, instancesOf } from '../cluster.ts'
import { signUp, newPerson } from '../person.ts'
import {
  onEach,
  announcementsOfGateways,
  announcementsOfWeb,
  putSetting,
  signInAsAdministrator,
} from '../settings.ts'

const APPLIED = /^Applied on (\d+) of (\d+) instances in \d+ ms\.$/

test.afterEach(async ({ request }) => {
  await signInAsAdministrator(request)
  await putSetting(request, instancesOf('gateway')[0]!, 'announcement', '')
  await putSetting(request, instancesOf('gateway')[0]!, 'payments', 'open')
})

/** Saves a text through the page of one web instance, and resolves when its response begins. */
async function announce(page: Page, url: string, text: string): Promise<void> {
  await page.goto(`${url}/settings`)
  await page.getByLabel('Text').fill(text)
  const answer = page.waitForResponse((response) => response.request().method() === 'POST')
  await page.getByRole('button', { name: 'Save' }).first().click({ noWaitAfter: true })
  await answer
}

test('all instances of web and gateway show an announcement when the web instance that saved it answers', async ({
  page,
}) => {
  await signInAsAdministrator(page.request)
  for (const { id, url } of [...instancesOf('web'), ...instancesOf('web')]) {
    // Every instance caches the old text in memory.
    await announcementsOfWeb()
    const text = `${id} announces ${randomUUID().slice(0, 8)}`
    await announce(page, url, text)
    const [web, gateways] = await Promise.all([announcementsOfWeb(), announcementsOfGateways()])
    expect(web).toEqual(onEach('web', text))
    expect(gateways).toEqual(onEach('gateway', text))

    const result = await page.getByText(APPLIED).innerText()
    const [, applied, total] = APPLIED.exec(result) ?? []
    expect(applied, result).toBe(total)
    expect(Number(applied), 'three of web and three of gateway are on the bus').toBeGreaterThan(5)
    await expect(page.getByRole('complementary', { name: 'Announcement' })).toHaveText(text)
    await expect(page.getByLabel('Text')).toHaveValue(text)
  }
})

test('a setting can be changed with JavaScript off, and the page shows which instances applied it', async ({
  browser,
}) => {
  const context = await browser.newContext({ javaScriptEnabled: false })
  await signInAsAdministrator(context.request)
  const page = await context.newPage()
  await announce(page, instancesOf('web')[0]!.url, 'By form alone')
  await expect(page.getByText(APPLIED)).toBeVisible()
  expect(await announcementsOfWeb()).toEqual(onEach('web', 'By form alone'))
  await context.close()
})

test('the form of a refused change shows the reason and the text that was typed', async ({
  page,
}) => {
  await signInAsAdministrator(page.request)
  await page.goto('/settings')
  const text = page.getByLabel('Text')
  await text.evaluate((field) => field.removeAttribute('maxlength'))
  await text.fill('x'.repeat(201))
  await page.getByRole('button', { name: 'Save' }).first().click()
  await expect(text).toHaveAttribute('aria-invalid', 'true')
  await expect(text).toHaveValue('x'.repeat(201))
  await expect(page.getByRole('complementary', { name: 'Announcement' })).toHaveCount(0)
})

test('payments that are closed through one web instance are closed on every web instance and gateway', async ({
  page,
  browser,
}) => {
  await signInAsAdministrator(page.request)
  const visitor = await browser.newContext()
  const form = await visitor.newPage()
  await signUp(form, newPerson())
  // Opened before payments are closed, and submitted after.
  await form.goto('/payments')

  await page.goto(`${instancesOf('web')[1]!.url}/settings`)
  await page.getByLabel('Closed').check()
  await page.getByRole('button', { name: 'Save' }).last().click()
  await expect(page.getByText(APPLIED)).toBeVisible()

  for (const { url } of instancesOf('gateway')) {
    const response = await visitor.request.post(`${url}/api/payments`, {
      data: { amount: 100, currency: 'EUR', reference: 'too late' },
      headers: { origin: EDGE, 'idempotency-key': randomUUID() },
    })
    expect(response.status()).toBe(503)
  }
  await form.getByLabel('Amount').fill('1.00')
  await form.getByLabel('Reference').fill('too late')
  await form.getByRole('button', { name: 'Pay' }).click()
  await expect(form.getByRole('alert').getByText('New payments are closed')).toBeVisible()
  for (const { url } of instancesOf('web')) {
    await form.goto(`${url}/payments`)
    await expect(form.getByText('Payments are closed')).toBeVisible()
    await expect(form.getByRole('button', { name: 'Pay' })).toHaveCount(0)
  }
  await visitor.close()
})

test('only administrators can view and change settings', async ({ page }) => {
  await page.goto('/settings')
  await expect(page).toHaveURL(/\/sign-in\?next=/)
  await signUp(page, newPerson())
  await expect(page.getByRole('link', { name: 'Settings' })).toHaveCount(0)
  await page.goto('/settings')
  await expect(page.getByRole('main')).toContainText('Only administrators can view settings')
  await expect(page.getByRole('button', { name: 'Save' })).toHaveCount(0)
})
