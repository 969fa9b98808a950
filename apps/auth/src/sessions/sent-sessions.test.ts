import { createHmac, randomUUID } from 'node:crypto'
import { expect, test } from '@repo/testing'
import { OLD_SECRET, openApp, PASSWORD, person, SECRET, type TestApp } from '../auth.fixture.ts'
import { signedBy } from '../cookie.fixture.ts'

const OWN = 'better-auth-8080.session_token'
const FORMER = 'better-auth.session_token'
const SECURE = `__Secure-${FORMER}`
const HTTPS = 'https://app.shop.example'

interface Signed {
  user: ReturnType<typeof person>
  /** The value of the session cookie as the browser stores it. */
  value: string
}

async function signUp(app: TestApp): Promise<Signed> {
  const user = person(randomUUID())
  const { status, cookie } = await app.ask('/sign-up/email', { body: user })
  expect(status).toBe(200)
  return { user, value: valueOf(cookie) }
}

async function signIn(app: TestApp, user: Signed['user'], cookie?: string) {
  const body = { email: user.email, password: PASSWORD }
  return app.ask('/sign-in/email', { body, ...(cookie && { headers: { cookie } }) })
}

async function again(app: TestApp, { user }: Signed): Promise<string> {
  return valueOf((await signIn(app, user)).cookie)
}

function valueOf(cookie: string): string {
  const pair = cookie.split('; ').find((each) => each.includes('session_token='))
  return pair?.slice(pair.indexOf('=') + 1) ?? ''
}

/** The result of the session check of the gateway for a cookie value. */
async function outcomeOf({ sessions }: TestApp, value: string, name = OWN): Promise<string> {
  return (await sessions.validate(`${name}=${value}`)).outcome
}

/**
 * The Set-Cookie lines of session cookies: the values that they set, and the names that they
 * remove.
 */
function sessionCookies(headers: Headers) {
  const lines = headers.getSetCookie().filter((line) => line.includes('session_token='))
  const [removed, set] = [[], []].map((): string[] => [])
  for (const line of lines) {
    const isRemoved = /max-age=0/i.test(line)
    const name = line.slice(0, line.indexOf('='))
    ;(isRemoved ? removed : set)?.push(name)
  }
  return { removed, set }
}

/** Headers with a valid session cookie `a`, and another one `b`, that parsers read differently. */
function oddHeaders(a: string, b: string): Record<string, string> {
  const raw = decodeURIComponent(a)
  return {
    'one cookie': `${OWN}=${a}`,
    'among others': `theme=dark; ${OWN}=${a}; lang=en`,
    'with white space': `  ${OWN} = ${a}  ;x=y`,
    'with tabs': `\t${OWN}\t=\t${a}\t`,
    'without encoding': `${OWN}=${raw}`,
    'encoded in full': `${OWN}=${Array.from(raw, encodeByte).join('')}`,
    'encoded in lower case': `${OWN}=${a.replace(/%../g, (each) => each.toLowerCase())}`,
    'encoded twice': `${OWN}=${encodeURIComponent(a)}`,
    'in quotes': `${OWN}="${a}"`,
    'in one quote': `${OWN}="${a}`,
    'in single quotes': `${OWN}='${a}'`,
    twice: `${OWN}=${a}; ${OWN}=${a}`,
    'two sessions': `${OWN}=${a}; ${OWN}=${b}`,
    'a broken one first': `${OWN}=broken; ${OWN}=${a}`,
    'a broken one last': `${OWN}=${a}; ${OWN}=broken`,
    'an empty one first': `${OWN}=; ${OWN}=${a}`,
    'a quoted one first': `${OWN}="${b}"; ${OWN}=${a}`,
    'an encoded name': `${OWN.replace('.', '%2E')}=${a}`,
    'an encoded name first': `${OWN.replace('.', '%2e')}=${b}; ${OWN}=${a}`,
    'a quoted name': `"${OWN}"=${a}`,
    'the former name': `${FORMER}=${a}`,
    'the former name beside': `${FORMER}=${b}; ${OWN}=${a}`,
    'the former name twice': `${FORMER}=${b}; ${FORMER}=${a}`,
    'a broken one beside the former name': `${OWN}=broken; ${FORMER}=${a}`,
    'the name over https': `${SECURE}=${a}`,
    'the name over https beside': `${SECURE}=${b}; ${OWN}=${a}`,
    'another prefix': `__Host-${OWN}=${a}`,
    'another case': `${OWN.toUpperCase()}=${a}`,
    'a part without a value': `${OWN}; ${OWN}=${a}`,
    'a name after a part without a value': `x; ${OWN}=${a}`,
    'an empty name': `=${OWN}=${a}`,
    'a name in a value': `x=${OWN}=${a}`,
    'many semicolons': `;;;${OWN}=${a};;;`,
    'a comma': `${OWN}=${a}, ${OWN}=${b}`,
    'a value that goes on': `${OWN}=${a} x`,
    'a value with attributes': `$Version=1; ${OWN}=${a}; $Path=/`,
    'a line break': `${OWN}=${a}%0A`,
    'a broken escape': `${OWN}=${a}%`,
    'another session in another cookie': `x="; ${OWN}=${b}; "; ${OWN}=${a}`,
    'signed by a former secret': signedBy(OLD_SECRET, `${OWN}=${a}`),
    'signed by an unknown secret': signedBy('z9Yx2mQ9vR4tY8wZ1aB5cD3eF6gH0iL-', `${OWN}=${a}`),
  }
}

function encodeByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`
}

test('the gateway and Better Auth choose the same session cookie, or none, in every unusual header', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const [ada, bob] = [await signUp(app), await signUp(app)]
  let accepted = 0
  for (const [name, cookie] of Object.entries(oddHeaders(ada.value, bob.value))) {
    const check = await app.sessions.validate(cookie)
    const gateway = check.outcome === 'valid' ? check.user.email : null
    const { body } = await app.ask('/get-session', { headers: { cookie } })
    const seen = body && 'user' in body ? body['user'] : null
    expect({ name, seen }).toMatchObject({ name, seen: gateway && { email: gateway } })
    accepted += gateway ? 1 : 0
  }
  // Neither all nor none of them.
  expect(accepted).toBeGreaterThan(10)
})

test('a sign-out ends the session of every unusual header with a session cookie of this site', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const bob = await signUp(app)
  const survivors: string[] = []
  for (const name of Object.keys(oddHeaders('a', 'b'))) {
    const ada = await signUp(app)
    const other = await again(app, bob)
    const cookie = oddHeaders(ada.value, other)[name] ?? ''
    const { status } = await app.ask('/sign-out', { body: {}, headers: { cookie } })
    expect(status).toBe(200)
    const sent = cookie.includes(other) ? [ada.value, other] : [ada.value]
    const outcomes = await Promise.all(sent.map((value) => outcomeOf(app, value)))
    if (outcomes.includes('valid')) survivors.push(name)
  }
  // No parser reads these as a session cookie of this site.
  expect(survivors).toEqual([
    'encoded twice',
    'in one quote',
    'in single quotes',
    'another prefix',
    'another case',
    'an empty name',
    'a name in a value',
    'a comma',
    'a value that goes on',
    'a line break',
    'a broken escape',
    'signed by an unknown secret',
  ])
})

test('a sign-out ends all sessions whose cookies were sent, and removes these cookies under every name', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const ada = await signUp(app)
  const values = [ada.value, await again(app, ada), await again(app, ada), await again(app, ada)]
  const left = await again(app, ada)
  const cookie = [OWN, OWN, FORMER, SECURE].map((name, i) => `${name}=${values[i]}`).join('; ')
  const second = 'threefold-8080.sc=x'
  const headers = { cookie: `${cookie}; ${second}` }
  const out = await app.ask('/sign-out', { body: {}, headers })
  expect(out.status).toBe(200)
  for (const value of values) expect(await outcomeOf(app, value)).toBe('revoked')
  expect(await outcomeOf(app, left)).toBe('valid')
  const { removed, set } = sessionCookies(out.headers)
  expect(set).toEqual([])
  expect(new Set(removed)).toEqual(new Set([OWN, FORMER, SECURE]))
  expect(out.headers.getSetCookie().some((line) => line.startsWith('threefold-8080.sc='))).toBe(
    true,
  )
})

test('a sign-out does not remove a cookie of another site on the host', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  const ada = await signUp(app)
  const theirs = signedBy('z9Yx2mQ9vR4tY8wZ1aB5cD3eF6gH0iL-', `${FORMER}=${ada.value}`)
  const headers = { cookie: `${OWN}=${ada.value}; ${theirs}; better-auth-8081.session_token=x` }
  const out = await app.ask('/sign-out', { body: {}, headers })
  expect(sessionCookies(out.headers).removed).toEqual([OWN])
})

test('a sign-in ends all sessions whose cookies were sent, and leaves one cookie', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const [ada, bob] = [await signUp(app), await signUp(app)]
  const values = [ada.value, await again(app, ada), bob.value]
  const cookie = [OWN, OWN, FORMER].map((name, i) => `${name}=${values[i]}`).join('; ')
  const wrong = { email: ada.user.email, password: 'wrong-password' }
  const refused = await app.ask('/sign-in/email', { body: wrong, headers: { cookie } })
  expect(refused.status).toBe(401)
  for (const value of values) expect(await outcomeOf(app, value)).toBe('valid')

  const answer = await signIn(app, ada.user, cookie)
  expect(answer.status).toBe(200)
  for (const value of values) expect(await outcomeOf(app, value)).toBe('revoked')
  expect(sessionCookies(answer.headers)).toEqual({ removed: [FORMER], set: [OWN] })
  const lines = answer.headers.getSetCookie().filter((line) => line.startsWith(`${OWN}=`))
  expect(await outcomeOf(app, valueOf(lines.at(-1)?.split(';', 1)[0] ?? ''))).toBe('valid')
})

test('a sign-in over https removes the copies of its cookie on parent domains and paths, and then sets the new one', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl, undefined, HTTPS)
  const ada = await signUp(app)
  const cookie = `${SECURE}=${ada.value}; ${SECURE}=planted; ${FORMER}=${await again(app, ada)}`
  const { headers } = await signIn(app, ada.user, cookie)
  const lines = headers.getSetCookie().filter((line) => line.includes('session_token='))
  const scopes = lines.map((line) => /Path=[^;]*(; Domain=[^;]*)?/.exec(line)?.[0])
  for (const scope of [
    'Path=/; Domain=app.shop.example',
    'Path=/; Domain=shop.example',
    'Path=/api',
    'Path=/api; Domain=shop.example',
    'Path=/api/auth; Domain=shop.example',
  ]) {
    expect(scopes).toContain(scope)
  }
  expect(lines.every((line) => /; Secure/.test(line))).toBe(true)
  expect(lines.filter((line) => line.startsWith(`${FORMER}=;`))).toHaveLength(1)
  const last = lines.at(-1)?.split(';', 1)[0] ?? ''
  expect(lines.slice(0, -1).every((line) => /Max-Age=0/.test(line))).toBe(true)
  expect(await outcomeOf(app, valueOf(last), SECURE)).toBe('valid')
})

test('a sign-in with a cookie that this site has not signed makes no query for it', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const ada = await signUp(app)
  const token = 'a'.repeat(32)
  const forged = createHmac('sha256', `${SECRET}!`).update(token).digest('base64')
  const value = encodeURIComponent(`${token}.${forged}`)
  const cookie = Array.from({ length: 50 }, () => `${OWN}=${value}`).join('; ')
  const before = await app.sessions.observability()
  expect((await signIn(app, ada.user, cookie)).status).toBe(200)
  const after = await app.sessions.observability()
  expect(after.authentication.validations).toEqual(before.authentication.validations)
})
