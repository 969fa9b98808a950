import { type APIRequestContext, expect, test } from '@playwright/test'
import { EDGE, instancesOf } from '../cluster.ts'
import { register, signIn, signUp, newPerson } from '../person.ts'
import { signInAsAdministrator } from '../settings.ts'

const gateways = () => instancesOf('gateway')
const { port } = new URL(EDGE)
const secondCookie = port === '' ? 'threefold.sc' : `threefold-${port}.sc`

/** The status that each gateway returns at its URL for the cookies of a browser. */
async function statuses(browser: APIRequestContext): Promise<number[]> {
  const requests = gateways().map(async ({ url }) => (await browser.get(`${url}/api/me`)).status())
  return Promise.all(requests)
}

const OUT = [401, 401, 401]
const IN = [200, 200, 200]

test('a sign-out on one instance ends the session on all before it answers, with or without a second cookie', async ({
  playwright,
  request,
}) => {
  await register(request, newPerson())
  // Each gateway has cached the session in memory and issued a second cookie.
  for (let i = 0; i < 3; i += 1) expect(await statuses(request)).toEqual(IN)
  const stored = await request.storageState()
  expect(stored.cookies.map(({ name }) => name)).toContain(secondCookie)

  const signedOut = await request.post(`${EDGE}/api/auth/sign-out`, {
    data: {},
    headers: { origin: EDGE },
  })
  expect(signedOut.status()).toBe(200)
  expect(signedOut.headers()['x-session-settlement']).toMatch(/^confirmed; .*lapsed=0; ms=[\d.]+$/)
  const thief = await playwright.request.newContext({ storageState: stored })
  expect(await statuses(thief)).toEqual(OUT)
  await thief.dispose()
})

test('all other devices of a user are signed out at once, and the current one is not', async ({
  playwright,
  request,
}) => {
  const person = newPerson()
  await register(request, person)
  const others = await Promise.all([0, 1, 2].map(() => playwright.request.newContext()))
  for (const other of others) {
    expect((await signIn(other, person)).status()).toBe(200)
    expect(await statuses(other)).toEqual(IN)
  }
  const listed = await (await request.get(`${EDGE}/api/sessions`)).json()
  expect(listed.sessions).toHaveLength(4)

  const ended = await request.delete(`${EDGE}/api/sessions`, { headers: { origin: EDGE } })
  const result = await ended.json()
  expect(result).toMatchObject({ outcome: 'confirmed', revoked: 3, lapsed: 0 })
  expect(result.acked).toBe(result.instances)
  for (const other of others) {
    expect(await statuses(other)).toEqual(OUT)
    await other.dispose()
  }
  expect(await statuses(request)).toEqual(IN)
})

test('a banned user is signed out everywhere when the ban is answered, and stays so when it is lifted', async ({
  playwright,
  request,
}) => {
  const person = newPerson()
  await register(request, person)
  expect(await statuses(request)).toEqual(IN)
  const { user } = await (await request.get(`${EDGE}/api/me`)).json()

  const administrator = await playwright.request.newContext()
  await signInAsAdministrator(administrator)
  const post = (path: string) =>
    administrator.post(`${EDGE}/api/auth/admin/${path}`, {
      data: { userId: user.id },
      headers: { origin: EDGE },
    })
  const banned = await post('ban-user')
  expect(banned.headers()['x-session-settlement']).toMatch(/^confirmed; /)
  expect(await statuses(request)).toEqual(OUT)
  expect((await signIn(request, person)).status()).toBe(403)
  expect((await post('unban-user')).status()).toBe(200)
  expect(await statuses(request)).toEqual(OUT)
  await administrator.dispose()
})

test('the account page signs another device out, and shows the number of instances that confirmed it', async ({
  page,
  playwright,
}) => {
  const person = newPerson()
  await signUp(page, person)
  const other = await playwright.request.newContext({ userAgent: 'kettle/1.0' })
  expect((await signIn(other, person)).status()).toBe(200)
  expect(await statuses(other)).toEqual(IN)
  await page.reload()
  await page.getByRole('button', { name: /^Sign out kettle/ }).click()
  await expect(page.getByRole('status').first()).toHaveText(
    /^The device is signed out: confirmed by 12 of 12 instances in \d+ ms\.$/,
  )
  expect(await statuses(other)).toEqual(OUT)
  await expect(page.getByText('kettle')).toHaveCount(0)
  await other.dispose()
})

test('the users page bans a user, and shows the number of instances that confirmed it', async ({
  page,
  playwright,
}) => {
  const person = newPerson()
  const userRequest = await playwright.request.newContext()
  await register(userRequest, person)
  expect(await statuses(userRequest)).toEqual(IN)
  await signInAsAdministrator(page.request)
  await page.goto('/users')
  await page.getByRole('button', { name: `Ban ${person.name}` }).click()
  await expect(page.getByRole('status').first()).toHaveText(
    /^The user is banned and signed out: confirmed by 12 of 12 instances in \d+ ms\.$/,
  )
  expect(await statuses(userRequest)).toEqual(OUT)
  await page.getByRole('button', { name: `Lift ban of ${person.name}` }).click()
  await expect(page.getByText('The ban is lifted.')).toBeVisible()
  expect(await statuses(userRequest)).toEqual(OUT)
  await userRequest.dispose()
})

test('administrators see the sign-ins and session checks of all instances together', async ({
  request,
}) => {
  await signInAsAdministrator(request)
  const response = await request.get(`${EDGE}/api/observability`)
  expect(await response.json()).toMatchObject({
    scope: 'cluster',
    authentication: {
      logins: { total: expect.any(Number), lastLoginTimestamp: expect.any(String) },
      validations: { cacheHitRate: expect.any(Number) },
    },
    validationCache: { backend: 'redis' },
  })
})

test('three gateways query the database at most once each for 300 checks of one session', async ({
  request,
}) => {
  await signInAsAdministrator(request)
  const counted = async (url: string) => {
    const response = await request.get(`${url}/api/observability?scope=instance`)
    const { authentication } = await response.json()
    return authentication.validations
  }
  for (const { url } of gateways()) {
    const before = await counted(url)
    const requests = Array.from({ length: 100 }, () => request.get(`${url}/api/me`))
    for (const answer of await Promise.all(requests)) expect(answer.status()).toBe(200)
    const after = await counted(url)
    expect(after.total - before.total).toBeGreaterThanOrEqual(100)
    expect(after.databaseQueries - before.databaseQueries).toBeLessThanOrEqual(1)
  }
})
