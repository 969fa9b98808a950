import type { DatabaseConnection } from '@repo/database'
import { expect, until, vi } from '@repo/testing'
import { test } from './join.fixture.ts'
import { cookieOf, makeUser, signIn, SECRET, withCookie, withSecondCookie } from './open.fixture.ts'

/** Records the queries of sessions. Timers of the outbox use the same pool. */
function spyOnSessionQueries({ pool }: DatabaseConnection) {
  const query = vi.spyOn(pool, 'query')
  return { count: () => query.mock.calls.filter(isOfSessions).length }
}

function isOfSessions(parameters: readonly unknown[]): boolean {
  return JSON.stringify(parameters[0]).startsWith('{"name":"session-')
}

test('a session is read by one query for all instances, then from Redis, then from memory', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const b = await join(stores, 'b')
  const { cookie } = await signIn(a.database, await makeUser(a.database))
  const queries = spyOnSessionQueries(a.database)
  expect(await a.sessions.validate(cookie)).toMatchObject({ outcome: 'valid', tier: 'database' })
  expect(await a.sessions.validate(cookie)).toMatchObject({ outcome: 'valid', tier: 'memo' })
  expect(queries.count()).toBe(1)
  const call = vi.spyOn(b.redis, 'call')
  expect(await b.sessions.validate(cookie)).toMatchObject({ outcome: 'valid', tier: 'redis' })
  expect(call).toHaveBeenCalledTimes(1)
  expect(await b.sessions.validate(cookie)).toMatchObject({ outcome: 'valid', tier: 'memo' })
})

test('validateNow returns a cached session at once, and after its revocation no call returns it', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const b = await join(stores, 'b')
  const { id, cookie } = await signIn(a.database, await makeUser(a.database))
  const first = a.sessions.validateNow(cookie)
  expect(first).toBeInstanceOf(Promise)
  expect(await first).toMatchObject({ outcome: 'valid', tier: 'database' })
  expect(a.sessions.validateNow(cookie)).toMatchObject({ outcome: 'valid', tier: 'memo' })
  expect(a.sessions.validateNow(undefined)).toEqual({ outcome: 'none' })
  expect(a.sessions.validateNow(`${cookie}x`)).toEqual({ outcome: 'none' })

  await b.sessions.revoke({ sessionId: id }, { confirm: 'all' })
  expect(await a.sessions.validateNow(cookie)).toEqual({ outcome: 'revoked' })
  expect(await a.sessions.validateNow(cookie)).toEqual({ outcome: 'revoked' })
})

test('S7: 1,000 concurrent checks of a session on each instance make one query', async ({
  stores,
  join,
}) => {
  const three = await Promise.all(['a', 'b', 'c'].map((id) => join(stores, id)))
  const { cookie } = await signIn(three[0]!.database, await makeUser(three[0]!.database))
  const queries = three.map(({ database }) => spyOnSessionQueries(database))
  const checks = three.flatMap(({ sessions }) =>
    Array.from({ length: 1_000 }, () => sessions.validate(cookie)),
  )
  const outcomes = new Set((await Promise.all(checks)).map(({ outcome }) => outcome))
  expect(outcomes).toEqual(new Set(['valid']))
  const made = queries.map((query) => query.count())
  expect(Math.max(...made)).toBe(1)
})

test('a cached session has the new role, name and e-mail address on every instance', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const b = await join(stores, 'b')
  const userId = await makeUser(a.database)
  const { cookie } = await signIn(a.database, userId)
  await Promise.all([a, b].map(({ sessions }) => sessions.validate(cookie)))
  await a.database.pool.query(`update "user" set role = 'admin', name = 'Eve' where id = $1`, [
    userId,
  ])
  expect(await a.sessions.settle({ confirm: 'all' })).toMatchObject({
    outcome: 'confirmed',
    instances: 2,
    acked: 2,
  })
  for (const { sessions } of [a, b]) {
    const check = await sessions.validate(cookie)
    expect(check).toMatchObject({ outcome: 'valid', user: { role: 'admin', name: 'Eve' } })
  }
})

test('S9: a cached session expires at its exact time, independent of the clocks of the instances', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const { id, cookie } = await signIn(a.database, await makeUser(a.database))
  await a.database.pool.query(
    `update session set expires_at = now() + interval '400 ms' where id = $1`,
    [id],
  )
  await a.sessions.settle()
  for (const clock of ['2020-01-01', '2099-01-01']) {
    vi.useFakeTimers({ now: new Date(clock), toFake: ['Date'] })
    expect(await a.sessions.validate(cookie)).toMatchObject({ outcome: 'valid' })
    vi.useRealTimers()
  }
  await expect.poll(() => a.sessions.validate(cookie)).toEqual({ outcome: 'expired' })
  const { rows } = await a.database.pool.query<{ over: boolean }>(
    'select expires_at <= now() as over from session where id = $1',
    [id],
  )
  expect(rows).toEqual([{ over: true }])
})

test('a session that was prolonged after it was cached is valid past its old end', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const { id, cookie } = await signIn(a.database, await makeUser(a.database))
  const set = (ms: number) =>
    a.database.pool.query(
      `update session set expires_at = now() + $2 * interval '1 ms' where id = $1`,
      [id, ms],
    )
  await set(200)
  await a.sessions.settle()
  await a.sessions.validate(cookie)
  await set(60_000)
  await until(async () => {
    const check = await a.sessions.validate(cookie)
    expect(check.outcome).toBe('valid')
    return check.outcome === 'valid' && check.tier === 'database'
  })
})

test('a second cookie is sent once, and an instance without caches accepts it without any store', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const { cookie } = await signIn(a.database, await makeUser(a.database))
  const first = await a.sessions.validate(cookie)
  const second = await a.sessions.validate(cookie)
  if (first.outcome !== 'valid' || second.outcome !== 'valid') throw new Error('not valid')
  expect(first.setCookie).toMatch(
    /^threefold\.sc=[^;]+; Max-Age=60; Path=\/; HttpOnly; SameSite=Lax$/,
  )
  expect(second.setCookie).toBeUndefined()
  const b = await join(stores, 'b')
  const queries = spyOnSessionQueries(b.database)
  const call = vi.spyOn(b.redis, 'call')
  const check = await b.sessions.validate(withCookie(cookie, first.setCookie))
  const { setCookie: _, tier: __, ...said } = first
  expect(check).toEqual({ ...said, tier: 'cookie' })
  expect([queries.count(), call.mock.calls.length]).toEqual([0, 0])
})

test('a second cookie is accepted only beside the session cookie for which it was signed', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const userId = await makeUser(a.database)
  const [ada, eve] = [await signIn(a.database, userId), await signIn(a.database, userId)]
  const check = await a.sessions.validate(ada.cookie)
  const setCookie = check.outcome === 'valid' ? check.setCookie : undefined
  const b = await join(stores, 'b')
  const beside = async (header: string) => {
    const found = await b.sessions.validate(header)
    return found.outcome === 'valid' ? [found.tier, found.session.id] : [found.outcome]
  }
  expect(await beside(setCookie!.split(';', 1)[0]!)).toEqual(['none'])
  expect(await beside(withCookie(eve.cookie, setCookie))).toEqual(['database', eve.id])
  expect(await beside(withCookie(`${ada.cookie.slice(0, -4)}%3D`, setCookie))).toEqual(['none'])
  expect(await beside(withCookie(ada.cookie, `${setCookie!.split(';', 1)[0]}x`))).toEqual([
    'redis',
    ada.id,
  ])
  const twice = withCookie(withCookie(ada.cookie, setCookie), setCookie)
  expect(await beside(twice)).toEqual(['memo', ada.id])
})

test('S3: a second cookie from before a revocation, or from before an instance joined, is refused', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const b = await join(stores, 'b')
  const userId = await makeUser(a.database)
  const { cookie } = await signIn(a.database, userId)
  const both = await withSecondCookie(a, cookie)
  expect(await a.sessions.revoke({ userId }, { confirm: 'all' })).toMatchObject({
    outcome: 'confirmed',
    revoked: 1,
    instances: 2,
  })
  const c = await join(stores, 'c')
  for (const { sessions } of [a, b, c]) {
    expect(await sessions.validate(both)).toEqual({ outcome: 'revoked' })
  }
})

const next = 'another secret of at least thirty-two!'

test('a replaced secret is still accepted, and signs no new cookie', async ({ stores, join }) => {
  const a = await join(stores, 'a')
  const b = await join(stores, 'b', { secret: next, acceptedSecrets: [SECRET] })
  const { token, cookie } = await signIn(a.database, await makeUser(a.database))
  const both = await withSecondCookie(a, cookie)
  expect(await b.sessions.validate(both)).toMatchObject({ outcome: 'valid', tier: 'cookie' })
  const renewed = await withSecondCookie(b, cookieOf(token, next))
  const secondCookie = renewed.split('; ').at(-1)
  const c = await join(stores, 'c')
  expect(await c.sessions.validate(withCookie(cookie, secondCookie))).toMatchObject({
    tier: 'redis',
  })
  expect(await c.sessions.validate(cookieOf(token, next))).toEqual({ outcome: 'none' })
})

test('S8: a cookie that this site did not sign is refused before any store is used', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const { cookie } = await signIn(a.database, await makeUser(a.database))
  const queries = spyOnSessionQueries(a.database)
  const call = vi.spyOn(a.redis, 'call')
  const bad = [
    cookie.slice(0, -1),
    `${cookie}A`,
    `${cookie}; ${cookie}`,
    `${cookie}%`,
    'better-auth.session_token=',
    cookieOf('x'.repeat(4_000)),
    cookieOf('a', `${SECRET}!`),
    `threefold.sc=${'x'.repeat(100_000)}; better-auth.session_token=a.b`,
    `threefold.sc=a.b.c; better-auth.session_token=%00.%ff`,
  ]
  for (const header of bad) expect(await a.sessions.validate(header)).toEqual({ outcome: 'none' })
  expect([queries.count(), call.mock.calls.length]).toEqual([0, 0])
})
