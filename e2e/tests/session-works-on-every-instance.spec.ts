import { expect, test } from '@playwright/test'
import { instancesOf } from '../cluster.ts'
import { signUp, newPerson } from '../person.ts'

test('each instance of gateway, auth and web accepts a session that was created through the edge', async ({
  page,
}) => {
  const person = newPerson()
  await signUp(page, person)

  // Cookies ignore ports, so the browser sends its session to every instance.
  const { request } = page.context()
  for (const { id, url } of instancesOf('gateway')) {
    const me = await request.get(`${url}/api/me`)
    expect(me.headers()['x-instance-id']).toBe(id)
    expect(await me.json()).toMatchObject({ user: { email: person.email }, via: 'session' })
  }
  for (const { id, url } of instancesOf('auth')) {
    const session = await request.get(`${url}/api/auth/get-session`)
    expect(session.headers()['x-instance-id']).toBe(id)
    expect(await session.json()).toMatchObject({ user: { email: person.email } })
  }
  for (const { id, url } of instancesOf('web')) {
    const account = await page.goto(`${url}/account`)
    expect(account?.headers()['x-instance-id']).toBe(id)
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(person.name)
  }
})

test('signing out on one instance ends the session on all instances', async ({ page }) => {
  await signUp(page, newPerson())
  const { request } = page.context()
  const cookies = await page.context().cookies()
  await page.getByRole('button', { name: 'Sign out', exact: true }).first().click()
  await expect(page).not.toHaveURL(/\/account/)

  // A copy of the deleted cookie is valid on no instance.
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  for (const { url } of instancesOf('gateway')) {
    const me = await request.get(`${url}/api/me`, { headers: { cookie } })
    expect(me.status()).toBe(401)
  }
})

test('a form that one web instance rendered can be submitted to any other', async ({ page }) => {
  const person = newPerson()
  await signUp(page, person)
  const posts: string[] = []
  page.on('response', (response) => {
    if (response.request().method() === 'POST') {
      posts.push(response.headers()['x-instance-id'] ?? '')
    }
  })
  for (const reference of ['first', 'second', 'third', 'fourth', 'fifth', 'sixth']) {
    await page.goto('/payments')
    await page.getByLabel('Amount').fill('12.50')
    await page.getByLabel('Reference').fill(reference)
    await page.getByRole('button', { name: 'Pay' }).click()
    await expect(page.getByRole('main')).toContainText(reference)
  }
  expect(new Set(posts).size, `served by ${posts.join(', ')}`).toBeGreaterThan(1)
})
