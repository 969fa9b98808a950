import { type APIRequestContext, expect, test } from '@playwright/test'
import { EDGE, instancesOf } from '../cluster.ts'
import { register, signIn, signUp, somebody } from '../person.ts'
import { signInAsAdministrator } from '../settings.ts'

const gateways = () => instancesOf('gateway')
const { port } = new URL(EDGE)
const secondCookie = port === '' ? 'threefold.sc' : `threefold-${port}.sc`

/** What each gateway says to the cookies of a browser, asked at its own URL. */
async function answers(browser: APIRequestContext): Promise<number[]> {
  const asked = gateways().map(async ({ url }) => (await browser.get(`${url}/api/me`)).status())
  return Promise.all(asked)
}

const OUT = [401, 401, 401]
const IN = [200, 200, 200]

test('signed out on one instance is signed out on all when the answer is there, second cookie or not', async ({
  playwright,
  request,
}) => {
  await register(request, somebody())
  // Each keeps the session in memory now, and has given out a cookie that says so.
  for (let i = 0; i < 3; i += 1) expect(await answers(request)).toEqual(IN)
  const kept = await request.storageState()
  expect(kept.cookies.map(({ name }) => name)).toContain(secondCookie)

  const signedOut = await request.post(`${EDGE}/api/auth/sign-out`, {
    data: {},
    headers: { origin: EDGE },
  })
  expect(signedOut.status()).toBe(200)
  expect(signedOut.headers()['x-session-settlement']).toMatch(/^confirmed; .*lapsed=0; ms=[\d.]+$/)
  const thief = await playwright.request.newContext({ storageState: kept })
  expect(await answers(thief)).toEqual(OUT)
  await thief.dispose()
})

test('all other devices of a person are out at once, and the one that asked is not', async ({
  playwright,
  request,
}) => {
  const person = somebody()
  await register(request, person)
  const others = await Promise.all([0, 1, 2].map(() => playwright.request.newContext()))
  for (const other of others) {
    expect((await signIn(other, person)).status()).toBe(200)
    expect(await answers(other)).toEqual(IN)
  }
  const listed = await (await request.get(`${EDGE}/api/sessions`)).json()
  expect(listed.sessions).toHaveLength(4)

  const ended = await request.delete(`${EDGE}/api/sessions`, { headers: { origin: EDGE } })
  const told = await ended.json()
  expect(told).toMatchObject({ outcome: 'confirmed', revoked: 3, lapsed: 0 })
  expect(told.acked).toBe(told.instances)
  for (const other of others) {
    expect(await answers(other)).toEqual(OUT)
    await other.dispose()
  }
  expect(await answers(request)).toEqual(IN)
})

test('a banned person is out everywhere when the ban is answered, and stays out when it is lifted', async ({
  playwright,
  request,
}) => {
  const person = somebody()
  await register(request, person)
  expect(await answers(request)).toEqual(IN)
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
  expect(await answers(request)).toEqual(OUT)
  expect((await signIn(request, person)).status()).toBe(403)
  expect((await post('unban-user')).status()).toBe(200)
  expect(await answers(request)).toEqual(OUT)
  await administrator.dispose()
})

test('the account page signs another device out, and says how many instances have forgotten it', async ({
  page,
  playwright,
}) => {
  const person = somebody()
  await signUp(page, person)
  const other = await playwright.request.newContext({ userAgent: 'kettle/1.0' })
  expect((await signIn(other, person)).status()).toBe(200)
  expect(await answers(other)).toEqual(IN)
  await page.reload()
  await page.getByRole('button', { name: /^Sign out kettle/ }).click()
  await expect(page.getByRole('status').first()).toHaveText(
    /^That device is signed out: gone from 12 of 12 instances in \d+ ms\.$/,
  )
  expect(await answers(other)).toEqual(OUT)
  await expect(page.getByText('kettle')).toHaveCount(0)
  await other.dispose()
})

test('the users page bans somebody, and says when they were locked out', async ({
  page,
  playwright,
}) => {
  const person = somebody()
  const theirs = await playwright.request.newContext()
  await register(theirs, person)
  expect(await answers(theirs)).toEqual(IN)
  await signInAsAdministrator(page.request)
  await page.goto('/users')
  await page.getByRole('button', { name: `Ban ${person.name}` }).click()
  await expect(page.getByRole('status').first()).toHaveText(
    /^Banned and locked out: gone from 12 of 12 instances in \d+ ms\.$/,
  )
  expect(await answers(theirs)).toEqual(OUT)
  await page.getByRole('button', { name: `Lift ban of ${person.name}` }).click()
  await expect(page.getByText('The ban is lifted.')).toBeVisible()
  expect(await answers(theirs)).toEqual(OUT)
  await theirs.dispose()
})

test('sign-ins and checks of all instances are counted together, for administrators', async ({
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

test('of 300 checks of one session, three gateways ask the database at most once each', async ({
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
    const asked = Array.from({ length: 100 }, () => request.get(`${url}/api/me`))
    for (const answer of await Promise.all(asked)) expect(answer.status()).toBe(200)
    const after = await counted(url)
    expect(after.total - before.total).toBeGreaterThanOrEqual(100)
    expect(after.databaseQueries - before.databaseQueries).toBeLessThanOrEqual(1)
  }
})
