import { expect, test } from '@playwright/test'
import { EDGE, instancesOf, whenBack } from '../cluster.ts'
import { signUp, somebody } from '../person.ts'

for (const app of ['web', 'gateway', 'auth', 'payments'] as const) {
  test(`kill -9 of one ${app} instance while a person uses the pages is not noticed, and it comes back`, async ({
    page,
  }) => {
    const person = somebody()
    await signUp(page, person)
    const [victim] = instancesOf(app)
    if (!victim) throw new Error(`no instance of ${app} runs`)

    const failed: string[] = []
    page.on('response', (response) => {
      if (response.status() >= 500) failed.push(`${response.status()} ${response.url()}`)
    })
    page.on('requestfailed', (request) => {
      // A navigation aborts what the page before it still loads; that is no failure of the server.
      const reason = request.failure()?.errorText ?? ''
      if (!reason.includes('ERR_ABORTED')) failed.push(`${reason} ${request.url()}`)
    })

    for (const round of [1, 2, 3, 4]) {
      if (round === 2) process.kill(victim.pid, 'SIGKILL')
      await page.goto('/account')
      await expect(page.getByRole('heading', { level: 1 })).toHaveText(person.name)
      await page.goto('/payments')
      await page.getByLabel('Amount').fill('3.00')
      await page.getByLabel('Reference').fill(`round ${round}`)
      await page.getByRole('button', { name: 'Pay' }).click()
      await expect(page.getByRole('main')).toContainText(`round ${round}`)
      const me = await page.request.get(`${EDGE}/api/me`)
      expect(me.status()).toBe(200)
    }
    expect(failed).toEqual([])

    await expect.poll(() => whenBack(victim), { timeout: 30_000 }).toBeDefined()
  })
}
