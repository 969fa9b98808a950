import { expect, test } from '@repo/testing'
import { openApp, PASSWORD, person } from './auth.fixture.ts'

const FORMER = 'better-auth.session_token'

test('a browser is signed in to two sites on one host, and a sign-out of one does not affect the other', async ({
  databaseUrl,
}) => {
  await using one = await openApp(databaseUrl)
  await using two = await openApp(databaseUrl, undefined, 'http://localhost:8081')
  const first = await one.ask('/sign-up/email', { body: person('ada') })
  const second = await two.ask('/sign-up/email', { body: person('bob') })
  const cookie = `${first.cookie}; ${second.cookie}`
  const headers = { cookie }
  const userOf = async (app: typeof one) => {
    const { body } = await app.ask('/get-session', { headers })
    return body && body['user']
  }
  expect(await userOf(one)).toMatchObject({ name: 'ada' })
  expect(await userOf(two)).toMatchObject({ name: 'bob' })
  const out = await one.ask('/sign-out', { body: {}, headers })
  // No name that the other site reads is cleared.
  expect(out.cookie).not.toContain('better-auth-8081')
  expect(out.cookie).not.toContain(FORMER)
  expect(await userOf(one)).toBeNull()
  expect(await userOf(two)).toMatchObject({ name: 'bob' })
})

test('a session cookie of the previous release is valid until its sign-out', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const { cookie } = await app.ask('/sign-up/email', { body: person('cleo') })
  const former = cookie.replace('better-auth-8080.session_token', FORMER)
  expect(former).toContain(`${FORMER}=`)
  const headers = { cookie: former }
  const { body } = await app.ask('/get-session', { headers })
  expect(body).toMatchObject({ user: { name: 'cleo' } })
  const { email } = person('cleo')
  const again = await app.ask('/sign-in/email', { body: { email, password: PASSWORD }, headers })
  expect(again.cookie).toContain('better-auth-8080.session_token=')
  expect((await app.ask('/get-session', { headers })).body).toBeNull()
  const current = { cookie: `${former}; ${again.cookie}` }
  const out = await app.ask('/sign-out', { body: {}, headers: current })
  expect(out.status).toBe(200)
  expect((await app.ask('/get-session', { headers: { cookie: again.cookie } })).body).toBeNull()
})
