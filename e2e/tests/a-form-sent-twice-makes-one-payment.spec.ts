import { type Browser, type BrowserContext, expect, type Page, test } from '@playwright/test'
import {
  AGAIN,
  DONE,
  fillForm,
  MADE,
  notice,
  openForm,
  payButton,
  readReferences,
} from '../payments.ts'
import { newPerson, register, signUp } from '../person.ts'

/** A browser of a person with an account, with or without JavaScript. */
async function openBrowser(browser: Browser, javaScriptEnabled: boolean): Promise<BrowserContext> {
  const context = await browser.newContext({ javaScriptEnabled })
  await register(context.request, newPerson())
  return context
}

/** Sends each POST of a page to the server, and loses its response. */
async function loseResponses(page: Page): Promise<() => Promise<void>> {
  await page.route('**/payments?*', async (route) => {
    if (route.request().method() !== 'POST') return route.continue()
    await route.fetch({ maxRedirects: 0 })
    await route.abort('connectionreset')
  })
  return () => page.unroute('**/payments?*')
}

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? 'with' : 'without'

  test(`a double click ${how} JavaScript makes one payment`, async ({ browser }) => {
    const context = await openBrowser(browser, javaScriptEnabled)
    const page = await context.newPage()
    await openForm(page)
    await fillForm(page, 'clicked twice')
    await payButton(page).dblclick()
    await expect(notice(page).getByText(DONE)).toBeVisible()
    expect(await readReferences(context.request)).toEqual(['clicked twice'])
    await context.close()
  })

  test(`two tabs of one form that are sent at the same time ${how} JavaScript make one payment, and one tab shows that it was already made`, async ({
    browser,
  }) => {
    const context = await openBrowser(browser, javaScriptEnabled)
    const [one, two] = [await context.newPage(), await context.newPage()]
    const address = await openForm(one)
    await two.goto(address)
    for (const page of [one, two]) await fillForm(page, 'two tabs')
    await Promise.all([one, two].map((page) => payButton(page).click({ noWaitAfter: true })))
    await expect(notice(one).getByText(DONE)).toBeVisible()
    await expect(notice(two).getByText(DONE)).toBeVisible()
    const texts = await Promise.all([one, two].map((page) => notice(page).first().innerText()))
    expect(texts.filter((text) => text.includes(AGAIN))).toHaveLength(1)
    expect(texts.filter((text) => text.includes(MADE))).toHaveLength(1)
    expect(await readReferences(context.request)).toEqual(['two tabs'])
    await context.close()
  })

  test(`a form that is sent again after the back button ${how} JavaScript makes one payment`, async ({
    browser,
  }) => {
    const context = await openBrowser(browser, javaScriptEnabled)
    const page = await context.newPage()
    const address = await openForm(page)
    await fillForm(page, 'sent again')
    await payButton(page).click()
    await expect(notice(page)).toContainText(MADE)
    await page.goBack()
    await expect(page).toHaveURL(address)
    await fillForm(page, 'sent again')
    await payButton(page).click()
    await expect(notice(page)).toContainText(AGAIN)
    expect(await readReferences(context.request)).toEqual(['sent again'])

    // The page of the result has a new form. A reload does not send anything.
    await page.reload()
    await expect(notice(page)).toContainText(AGAIN)
    await fillForm(page, 'sent again')
    await payButton(page).click()
    await expect(notice(page)).toContainText(MADE)
    expect(await readReferences(context.request)).toEqual(['sent again', 'sent again'])
    await context.close()
  })

  test(`a form whose response was lost ${how} JavaScript makes one payment when it is sent again`, async ({
    browser,
  }) => {
    const context = await openBrowser(browser, javaScriptEnabled)
    const page = await context.newPage()
    const address = await openForm(page)
    await fillForm(page, 'lost response')
    const stopLosing = await loseResponses(page)
    await payButton(page).click({ noWaitAfter: true })
    await expect.poll(() => readReferences(context.request)).toEqual(['lost response'])
    if (javaScriptEnabled) {
      await expect(page.getByRole('alert').getByText('The response did not arrive')).toBeVisible()
      await stopLosing()
      await page.getByRole('button', { name: 'Show the form again' }).click()
      await expect(page).toHaveURL(address)
    } else {
      await expect(page).toHaveURL('chrome-error://chromewebdata/')
      await stopLosing()
      await page.goto(address)
    }
    await expect(page.getByRole('main')).toContainText('lost response')
    await fillForm(page, 'lost response')
    await payButton(page).click()
    await expect(notice(page)).toContainText(AGAIN)
    expect(await readReferences(context.request)).toEqual(['lost response'])
    await context.close()
  })

  test(`a form that was changed after it was sent is refused ${how} JavaScript, and a new form pays the change`, async ({
    browser,
  }) => {
    const context = await openBrowser(browser, javaScriptEnabled)
    const page = await context.newPage()
    await openForm(page)
    await fillForm(page, 'first values')
    await payButton(page).click()
    await expect(notice(page)).toContainText(MADE)
    await page.goBack()
    await fillForm(page, 'other values', '99.00')
    await payButton(page).click()
    await expect(page.getByRole('alert').getByText('already sent with other values')).toBeVisible()
    await expect(page.getByLabel('Amount')).toHaveValue('99.00')
    expect(await readReferences(context.request)).toEqual(['first values'])
    await page.getByRole('link', { name: 'Open a new form' }).click()
    await expect(page.getByRole('link', { name: 'Open a new form' })).toBeHidden()
    await fillForm(page, 'other values', '99.00')
    await payButton(page).click()
    await expect(notice(page)).toContainText(MADE)
    expect(await readReferences(context.request)).toEqual(['other values', 'first values'])
    await context.close()
  })
}

test('a link to the page opens a new form after a payment, so two equal payments are both made', async ({
  page,
}) => {
  await signUp(page, newPerson())
  for (const made of [['monthly'], ['monthly', 'monthly']]) {
    await page.getByRole('navigation').getByRole('link', { name: 'Payments' }).click()
    await expect(page).toHaveURL(/\/payments\?form=[\w-]{36}$/)
    await fillForm(page, 'monthly')
    await payButton(page).click()
    await expect(notice(page)).toContainText(MADE)
    expect(await readReferences(page.request)).toEqual(made)
  }
})

test('a form that is corrected after a refusal is paid', async ({ page }) => {
  await signUp(page, newPerson())
  await openForm(page)
  await fillForm(page, 'corrected', '12.345')
  await payButton(page).click()
  await expect(page.getByText('An amount in EUR has at most 2 decimals.')).toBeVisible()
  await fillForm(page, 'corrected', '9000000')
  await payButton(page).click()
  await expect(page.getByRole('main').getByRole('alert')).toContainText('amount')
  await fillForm(page, 'corrected', '12.34')
  await payButton(page).click()
  await expect(notice(page)).toContainText(MADE)
  expect(await readReferences(page.request)).toEqual(['corrected'])
})
