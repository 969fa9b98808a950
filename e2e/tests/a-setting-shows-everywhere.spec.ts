import { randomUUID } from 'node:crypto'
import { expect, type Page, test } from '@playwright/test'
import { EDGE, instancesOf } from '../cluster.ts'
import { signUp, somebody } from '../person.ts'
import {
  allSay,
  announcedByGateways,
  announcedByWeb,
  putSetting,
  signInAsAdministrator,
} from '../settings.ts'

const SHOWN = /^Shown by (\d+) of (\d+) instances after \d+ ms\.$/

test.afterEach(async ({ request }) => {
  await signInAsAdministrator(request)
  await putSetting(request, instancesOf('gateway')[0]!, 'announcement', '')
  await putSetting(request, instancesOf('gateway')[0]!, 'payments', 'open')
})

/** Saves a text through the page of one web instance: resolves when the head of its answer is here. */
async function announce(page: Page, url: string, text: string): Promise<void> {
  await page.goto(`${url}/settings`)
  await page.getByLabel('Text').fill(text)
  const answer = page.waitForResponse((response) => response.request().method() === 'POST')
  await page.getByRole('button', { name: 'Save' }).first().click({ noWaitAfter: true })
  await answer
}

test('what is announced through one web instance, all instances of web and gateway show when it answers', async ({
  page,
}) => {
  await signInAsAdministrator(page.request)
  for (const { id, url } of [...instancesOf('web'), ...instancesOf('web')]) {
    // Every instance keeps the old text in memory.
    await announcedByWeb()
    const text = `${id} says ${randomUUID().slice(0, 8)}`
    await announce(page, url, text)
    const [web, gateways] = await Promise.all([announcedByWeb(), announcedByGateways()])
    expect(web).toEqual(allSay('web', text))
    expect(gateways).toEqual(allSay('gateway', text))

    const said = await page.getByText(SHOWN).innerText()
    const [, shown, all] = SHOWN.exec(said) ?? []
    expect(shown, said).toBe(all)
    expect(Number(shown), 'three of web and three of gateway are on the bus').toBeGreaterThan(5)
    await expect(page.getByRole('complementary', { name: 'Announcement' })).toHaveText(text)
    await expect(page.getByLabel('Text')).toHaveValue(text)
  }
})

test('a setting is changed with JavaScript off, and the page says how far the change got', async ({
  browser,
}) => {
  const context = await browser.newContext({ javaScriptEnabled: false })
  await signInAsAdministrator(context.request)
  const page = await context.newPage()
  await announce(page, instancesOf('web')[0]!.url, 'By form alone')
  await expect(page.getByText(SHOWN)).toBeVisible()
  expect(await announcedByWeb()).toEqual(allSay('web', 'By form alone'))
  await context.close()
})

test('a refused change says why, and keeps what was typed', async ({ page }) => {
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

test('payments closed through one web instance are closed on every one, and at every gateway', async ({
  page,
  browser,
}) => {
  await signInAsAdministrator(page.request)
  const visitor = await browser.newContext()
  const form = await visitor.newPage()
  await signUp(form, somebody())
  // Opened before, and sent when it is too late.
  await form.goto('/payments')

  await page.goto(`${instancesOf('web')[1]!.url}/settings`)
  await page.getByLabel('Closed').check()
  await page.getByRole('button', { name: 'Save' }).last().click()
  await expect(page.getByText(SHOWN)).toBeVisible()

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
  await expect(form.getByRole('alert').getByText('No new payments are taken')).toBeVisible()
  for (const { url } of instancesOf('web')) {
    await form.goto(`${url}/payments`)
    await expect(form.getByText('Payments are closed')).toBeVisible()
    await expect(form.getByRole('button', { name: 'Pay' })).toHaveCount(0)
  }
  await visitor.close()
})

test('settings are for administrators', async ({ page }) => {
  await page.goto('/settings')
  await expect(page).toHaveURL(/\/sign-in\?next=/)
  await signUp(page, somebody())
  await expect(page.getByRole('link', { name: 'Settings' })).toHaveCount(0)
  await page.goto('/settings')
  await expect(page.getByRole('main')).toContainText('Settings are for administrators')
  await expect(page.getByRole('button', { name: 'Save' })).toHaveCount(0)
})
