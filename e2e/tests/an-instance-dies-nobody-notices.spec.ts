import { expect, test } from '@playwright/test'
import { EDGE, instancesOf, whenBack } from '../cluster.ts'
import { signUp, newPerson } from '../person.ts'

for (const app of ['web', 'gateway', 'auth', 'payments'] as const) {
  test(`a person who uses the pages does not notice kill -9 of one ${app} instance, which starts again`, async ({
    page,
  }) => {
    const person = newPerson()
    await signUp(page, person)
    const [victim] = instancesOf(app)
    if (!victim) throw new Error(`no instance of ${app} runs`)

    const failed: string[] = []
    page.on('response', (response) => {
      if (response.status() >= 500) failed.push(`${response.status()} ${response.url()}`)
    })
    page.on('requestfailed', (request) => {
      // A navigation aborts the pending requests of the previous page, which is not a failure.
      const reason = request.failure()?.errorText ?? ''
      if (!reason.includes('ERR_ABORTED')) failed.push(`${reason} ${request.url()}`)
    })

    for (const round of [1, 2, 3, 4]) {
      if (round === 2) {
        // A response that has begun breaks off with its instance: no proxy can continue it elsewhere.
        await page.waitForLoadState('networkidle')
        process.kill(victim.pid, 'SIGKILL')
      }
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
