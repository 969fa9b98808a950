import { contend, expect, test } from '@repo/testing'
import { type Answer, openApp, PASSWORD, person, type TestApp } from '../auth.fixture.ts'

const WRONG = 'a-wrong-password'
/** No attempt of a test comes from here, but the owner's. */
const HOME = '198.51.100.7'

function tryAs(app: TestApp, name: string, password: string, ip: string, cookie = '') {
  const { email } = person(name)
  const headers = { 'x-client-ip': ip, cookie }
  return app.ask('/sign-in/email', { body: { email, password }, headers })
}

async function signUp(app: TestApp, name: string): Promise<string> {
  const headers = { 'x-client-ip': HOME }
  const { status, cookie } = await app.ask('/sign-up/email', { body: person(name), headers })
  expect(status).toBe(200)
  return cookie
}

async function statuses(made: Promise<PromiseSettledResult<Answer>[]>): Promise<number[]> {
  const settled = await made
  const all = settled.map((each) => (each.status === 'fulfilled' ? each.value.status : 0))
  return all.toSorted((a, b) => a - b)
}

/** Ten wrong passwords, one after the other. */
async function failTen(app: TestApp, name: string, ip: string): Promise<void> {
  for (let i = 0; i < 10; i += 1) expect((await tryAs(app, name, WRONG, ip)).status).toBe(401)
}

/** The device cookie of an answer, or of a `Cookie` header, without any session. */
function deviceOf(cookie: string): string {
  return cookie.split('; ').find((each) => each.includes('.device=')) ?? ''
}

test('ten wrong passwords block the pair of account and network in every spelling, and no other pair', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  await signUp(app, 'olga')
  await signUp(app, 'pia')
  await failTen(app, 'olga', '203.0.113.1')
  for (const ip of ['203.0.113.1', '203.0.113.254', '::ffff:203.0.113.9', '::ffff:cb00:710a']) {
    const refused = await tryAs(app, 'OLGA', PASSWORD, ip)
    expect(refused, ip).toMatchObject({
      status: 429,
      body: { code: 'TOO_MANY_TRIES', status: 429 },
      cookie: '',
    })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  }
  expect((await tryAs(app, 'olga', PASSWORD, HOME)).status).toBe(200)
  expect((await tryAs(app, 'olga', PASSWORD, '203.0.112.1')).status).toBe(200)
  expect((await tryAs(app, 'pia', PASSWORD, '203.0.113.1')).status).toBe(200)
})

test('ten wrong passwords block the /64 network of an IPv6 address, and not its neighbour', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  await signUp(app, 'quin')
  await failTen(app, 'quin', '2001:db8:0:7::1')
  for (const ip of ['2001:DB8::7:ffff:0:0:9', '2001:0db8:0000:0007:0::2']) {
    expect((await tryAs(app, 'quin', PASSWORD, ip)).status, ip).toBe(429)
  }
  expect((await tryAs(app, 'quin', PASSWORD, '2001:db8:0:8::1')).status).toBe(200)
})

test('wrong passwords for an e-mail address without an account get the same responses', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  await signUp(app, 'rosa')
  const bodies: unknown[][] = []
  for (const name of ['rosa', 'nobody-at-all']) {
    const made: unknown[] = []
    for (let i = 0; i < 12; i += 1) {
      const { status, body } = await tryAs(app, name, WRONG, '192.0.2.1')
      made.push({ status, ...body })
    }
    bodies.push(made)
  }
  expect(bodies[0]).toEqual(bodies[1])
  expect(bodies[0]?.at(-1)).toMatchObject({ status: 429 })
})

test('a request without a session is refused where the session names the account', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const headers = { cookie: 'better-auth-8080.session_token=forged.value' }
  const change = { currentPassword: PASSWORD, newPassword: 'four-of-everything' }
  for (const given of [{}, headers]) {
    const verified = await app.ask('/verify-password', {
      body: { password: PASSWORD },
      headers: given,
    })
    expect(verified).toMatchObject({ status: 401, cookie: '' })
    const changed = await app.ask('/change-password', { body: change, headers: given })
    expect(changed).toMatchObject({ status: 401, cookie: '' })
  }
})

test('wrong passwords count at every endpoint that checks a password', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  const session = (await signUp(app, 'sal')).split('; ').find((each) => !deviceOf(each)) ?? ''
  const headers = { cookie: session, 'x-client-ip': '192.0.2.1' }
  const verify = (password: string) => app.ask('/verify-password', { body: { password }, headers })
  const change = () => {
    const body = { currentPassword: WRONG, newPassword: 'four-of-everything' }
    return app.ask('/change-password', { body, headers })
  }
  for (let i = 0; i < 4; i += 1) expect((await verify(WRONG)).status).toBe(400)
  for (let i = 0; i < 3; i += 1) expect((await change()).status).toBe(400)
  for (let i = 0; i < 3; i += 1) {
    expect((await tryAs(app, 'sal', WRONG, '192.0.2.1')).status).toBe(401)
  }
  expect((await verify(PASSWORD)).status).toBe(429)
  expect((await change()).status).toBe(429)
  expect((await tryAs(app, 'sal', PASSWORD, '192.0.2.1')).status).toBe(429)
  const home = { ...headers, 'x-client-ip': HOME }
  const verified = await app.ask('/verify-password', {
    body: { password: PASSWORD },
    headers: home,
  })
  expect(verified.status).toBe(200)
})

test('correct passwords do not count: 20 at once are all accepted, and one after them', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  await signUp(app, 'tom')
  const made = contend(20, () => tryAs(app, 'tom', PASSWORD, '192.0.2.1'))
  expect(await statuses(made)).toEqual(Array(20).fill(200))
  expect((await tryAs(app, 'tom', PASSWORD, '192.0.2.1')).status).toBe(200)
})

test('a correct password between wrong ones does not reset the count', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  await signUp(app, 'uma')
  for (let i = 0; i < 10; i += 1) {
    expect((await tryAs(app, 'uma', WRONG, '192.0.2.1')).status).toBe(401)
    if (i < 9) expect((await tryAs(app, 'uma', PASSWORD, '192.0.2.1')).status).toBe(200)
  }
  expect((await tryAs(app, 'uma', PASSWORD, '192.0.2.1')).status).toBe(429)
})

test('12 attempts while PostgreSQL hangs do not use the quota', async ({ ownPostgres }) => {
  await using app = await openApp(ownPostgres.url)
  await signUp(app, 'vic')
  await ownPostgres.pause()
  const made = contend(12, (i) => tryAs(app, 'vic', i % 2 ? PASSWORD : WRONG, '192.0.2.1'))
  expect(await statuses(made)).toEqual(Array(12).fill(503))
  ownPostgres.resume()
  await failTen(app, 'vic', '192.0.2.1')
  expect((await tryAs(app, 'vic', PASSWORD, '192.0.2.1')).status).toBe(429)
})

test('a hundred wrong passwords from many networks slow the account, except for a device that signed in before', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const device = deviceOf(await signUp(app, 'wes'))
  expect(device).not.toBe('')
  const account = person('wes').email
  await app.limiter.penalize(['password-account'], { account }, 99)
  expect((await tryAs(app, 'wes', PASSWORD, '192.0.2.1')).status).toBe(200)
  expect((await tryAs(app, 'wes', WRONG, '192.0.2.1')).status).toBe(401)
  const first = await tryAs(app, 'wes', WRONG, '203.0.113.1')
  expect(first.status).toBe(401)
  // One password is checked in two seconds, from any network.
  await app.limiter.penalize(['password-slowed'], { account }, 1)
  const slowed = await tryAs(app, 'wes', PASSWORD, HOME)
  expect(slowed).toMatchObject({ status: 429, body: { code: 'TOO_MANY_TRIES' } })
  const retryAfter = Number(slowed.headers.get('retry-after'))
  expect(retryAfter).toBeGreaterThan(0)
  expect(retryAfter).toBeLessThanOrEqual(2)
  for (let i = 0; i < 3; i += 1) {
    expect((await tryAs(app, 'wes', PASSWORD, HOME, device)).status).toBe(200)
  }
  await app.limiter.reset(['password-slowed'], { account })
  expect((await tryAs(app, 'wes', PASSWORD, HOME)).status).toBe(200)
})

test('the device cookie is HttpOnly, lasts a year and outlives the session', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const cookie = await signUp(app, 'xia')
  const headers = { cookie }
  const { email } = person('xia')
  const again = await app.ask('/sign-in/email', { body: { email, password: PASSWORD }, headers })
  const line = again.headers.getSetCookie().find((each) => each.includes('.device=')) ?? ''
  expect(line).toMatch(
    /^threefold-8080\.device=[\w.-]+; Max-Age=31536000; Path=\/; HttpOnly; SameSite=Lax$/,
  )
  // The device keeps its name, and with it what was counted for it.
  expect(deviceOf(again.cookie)).toBe(deviceOf(cookie))
  const out = await app.ask('/sign-out', { body: {}, headers: { cookie: again.cookie } })
  expect(out.cookie).not.toContain('.device=')
})

test('a device has a separate quota, which another device on the same network does not use', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const device = deviceOf(await signUp(app, 'yan'))
  await failTen(app, 'yan', HOME)
  expect((await tryAs(app, 'yan', PASSWORD, HOME)).status).toBe(429)
  expect((await tryAs(app, 'yan', PASSWORD, HOME, device)).status).toBe(200)
  for (let i = 0; i < 10; i += 1) {
    expect((await tryAs(app, 'yan', WRONG, `203.0.${i}.1`, device)).status).toBe(401)
  }
  expect((await tryAs(app, 'yan', PASSWORD, '203.0.113.1', device)).status).toBe(429)
  expect((await tryAs(app, 'yan', PASSWORD, '203.0.113.1')).status).toBe(200)
})

test('a device cookie is invalid for another account, after a change, and with a new password', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const cookie = await signUp(app, 'zed')
  const device = deviceOf(cookie)
  const other = deviceOf(await signUp(app, 'abe'))
  const changed = await app.ask('/change-password', {
    body: { currentPassword: PASSWORD, newPassword: 'four-of-everything' },
    headers: { cookie, 'x-client-ip': HOME },
  })
  expect(changed.status).toBe(200)
  await failTen(app, 'zed', '192.0.2.1')
  const [, value = ''] = other.split('=')
  const forged = [
    ['of another account', other],
    ['from before the new password', device],
    [
      'renamed',
      `${device.split('.')[0]}.device=${value.replace(/^[^.]+/, device.split('=')[1]?.split('.')[0] ?? '')}`,
    ],
    ['altered', device.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))],
    ['empty', 'threefold-8080.device='],
  ] as const
  for (const [label, each] of forged) {
    const { status } = await tryAs(app, 'zed', 'four-of-everything', '192.0.2.1', each)
    expect(status, label).toBe(429)
  }
  const current = deviceOf(changed.cookie)
  const { status } = await tryAs(app, 'zed', 'four-of-everything', '192.0.2.1', current)
  expect(status).toBe(200)
})

test('a device cookie is valid for the last four accounts of one browser', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  let device = ''
  for (const name of ['one', 'two', 'three', 'four', 'five']) {
    await signUp(app, name)
    device = deviceOf((await tryAs(app, name, PASSWORD, HOME, device)).cookie)
  }
  expect(device.length).toBeLessThan(400)
  for (const name of ['one', 'two', 'five']) await failTen(app, name, '192.0.2.1')
  expect((await tryAs(app, 'five', PASSWORD, '192.0.2.1', device)).status).toBe(200)
  expect((await tryAs(app, 'two', PASSWORD, '192.0.2.1', device)).status).toBe(200)
  expect((await tryAs(app, 'one', PASSWORD, '192.0.2.1', device)).status).toBe(429)
})
