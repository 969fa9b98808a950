import { expect, test } from '@playwright/test'
import { EDGE, instancesOf } from '../cluster.ts'
import { register, newPerson } from '../person.ts'
import { signInAsAdministrator } from '../settings.ts'

const QUOTA = 15
const tight = {
  policies: [{ name: 'me', quota: QUOTA, windowMs: 5_000, by: 'user' }],
  routes: [{ path: '/api/me', policies: ['me'] }],
}

const headers = { origin: EDGE }

let before: unknown

test.beforeEach(async ({ playwright }) => {
  const administrator = await playwright.request.newContext()
  await signInAsAdministrator(administrator)
  const { limits } = await (await administrator.get(`${EDGE}/api/limits`)).json()
  before = limits
  const set = await administrator.put(`${EDGE}/api/limits`, { data: tight, headers })
  expect(set.status(), await set.text()).toBe(200)
  await administrator.dispose()
})

test.afterEach(async ({ playwright }) => {
  const administrator = await playwright.request.newContext()
  await signInAsAdministrator(administrator)
  await administrator.put(`${EDGE}/api/limits`, { data: before, headers })
  await administrator.dispose()
})

test('all instances together refuse requests above the quota, and accept them after Retry-After', async ({
  request,
}) => {
  await register(request, newPerson())
  const responses = await Promise.all(
    Array.from({ length: 40 }, () => request.get(`${EDGE}/api/me`)),
  )
  const served = new Set(responses.map((response) => response.headers()['x-instance-id']))
  expect(served.size, 'gateways that answered').toBe(instancesOf('gateway').length)
  expect(responses.filter((response) => response.status() === 200)).toHaveLength(QUOTA)
  const refused = responses.find((response) => response.status() !== 200)
  expect(refused?.status()).toBe(429)
  expect(refused?.headers()).toMatchObject({
    'content-type': 'application/problem+json',
    'ratelimit-policy': `"me";q=${QUOTA};w=5`,
  })
  expect(await refused?.json()).toMatchObject({ 'violated-policies': ['me'] })

  const last = await request.get(`${EDGE}/api/me`)
  const waitMs = Number(last.headers()['retry-after']) * 1_000
  expect(waitMs).toBeLessThanOrEqual(6_000)
  const began = Date.now()
  await expect.poll(() => Date.now() - began >= waitMs, { timeout: 10_000 }).toBe(true)
  expect((await request.get(`${EDGE}/api/me`)).status()).toBe(200)
})

test('the limits page blocks a user on every instance, and unblocks the user', async ({
  page,
  playwright,
}) => {
  const userRequest = await playwright.request.newContext()
  await register(userRequest, newPerson())
  const { user } = await (await userRequest.get(`${EDGE}/api/me`)).json()
  await signInAsAdministrator(page.request)
  await page.goto('/limits')
  await page.getByLabel('Key', { exact: true }).fill(user.id)
  await page.getByRole('button', { name: 'Block', exact: true }).last().click()
  await expect(page.getByText('The key is blocked on every instance.')).toBeVisible()
  for (const { url } of instancesOf('gateway')) {
    expect((await userRequest.get(`${url}/api/me`)).status()).toBe(429)
  }
  await page.getByRole('button', { name: `Unblock ${user.id}` }).click()
  await expect(page.getByText('No key is blocked.')).toBeVisible()
  for (const { url } of instancesOf('gateway')) {
    expect((await userRequest.get(`${url}/api/me`)).status()).toBe(200)
  }
  await userRequest.dispose()
})

test('invalid limits are refused with all faults at once, and the old limits stay in force', async ({
  request,
}) => {
  await signInAsAdministrator(request)
  const policies = [{ name: 'Me', quota: -1, windowMs: 5_000, by: 'user' }]
  const refused = await request.put(`${EDGE}/api/limits`, {
    data: { policies, routes: [{ path: 'me', policies: ['you'] }] },
    headers,
  })
  expect(refused.status()).toBe(422)
  const { errors } = await refused.json()
  expect(errors.length).toBeGreaterThan(2)
  for (const { url } of instancesOf('gateway')) {
    const me = await request.get(`${url}/api/me`)
    expect(me.headers()['ratelimit-policy']).toBe(`"me";q=${QUOTA};w=5`)
  }
})
