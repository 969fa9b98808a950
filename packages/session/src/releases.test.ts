import { hash } from 'node:crypto'
import { expect, until } from '@repo/testing'
import { createClaims } from './cookie/second-cookie.ts'
import { readSessionCookie } from './cookie/session-cookie.ts'
import { test } from './join.fixture.ts'
import { makeUser, SECRET, signIn, withCookie, withSecondCookie } from './open.fixture.ts'
import {
  appendMessage,
  METRICS,
  RECORDED,
  recordOf,
  signSecondCookie,
  storeRecord,
} from './releases.fixture.ts'

type Record = ReturnType<typeof recordOf>

/** Text in Redis, and whether this release reads it or must query PostgreSQL. */
const RECORDS: [
  name: string,
  isRead: boolean,
  change: (record: Record) => unknown,
  kind?: string,
][] = [
  ['of the release before', true, (record) => record],
  ['with a field that is not known here', true, (record) => ({ ...record, assurance: 2 })],
  [
    'with unknown fields of its user and session',
    true,
    ({ user, session, ...rest }) => ({
      ...rest,
      user: { ...user, tenant: 't' },
      session: { ...session, device: 'd' },
    }),
  ],
  ['in a state that is not known here', false, (record) => ({ ...record, state: 'locked' })],
  ['with a field renamed', false, ({ until: end, ...rest }) => ({ ...rest, goodUntil: end })],
  [
    'with its role in another form',
    false,
    (record) => ({ ...record, user: { ...record.user, role: ['user'] } }),
  ],
  ['that is no object', false, () => [2, 'live']],
  ['of another kind', false, (record) => record, 'W'],
]

test.for(RECORDS)(
  'a session record in Redis %s is read: %s, and never refuses the session',
  async ([, isRead, change, kind], { stores, join }) => {
    const a = await join(stores, 'a')
    const userId = await makeUser(a.database)
    const { id, token, cookie } = await signIn(a.database, userId)
    const text = JSON.stringify(change(recordOf({ id, userId })))
    await storeRecord(stores.redisUrl, { token, userId, text, ...(kind && { kind }) })
    const check = await a.sessions.validate(cookie)
    const expected = isRead
      ? { tier: 'redis', name: 'From Redis' }
      : { tier: 'database', name: 'Ada' }
    expect(check).toMatchObject({
      outcome: 'valid',
      tier: expected.tier,
      session: { id },
      user: { id: userId, name: expected.name, role: 'user' },
    })
    // A sign-out ends the session, also when another release wrote the record.
    await a.sessions.revoke({ userId }, { confirm: 'all' })
    expect(await a.sessions.validate(cookie)).toEqual({ outcome: 'revoked' })
  },
)

test('an unreadable record of an ended session is not accepted', async ({ stores, join }) => {
  const a = await join(stores, 'a')
  const userId = await makeUser(a.database)
  const { id, token, cookie } = await signIn(a.database, userId)
  await a.sessions.revoke({ userId }, { confirm: 'all' })
  const text = JSON.stringify({ ...recordOf({ id, userId }), state: 'elevated' })
  await storeRecord(stores.redisUrl, { token, userId, text })
  expect(await a.sessions.validate(cookie)).toEqual({ outcome: 'revoked' })
})

test('cookies of the previous release are accepted', () => {
  const header = `better-auth.session_token=${RECORDED.sessionCookie}`
  const check = readSessionCookie(header, { secret: SECRET })
  expect(check).toMatchObject({ outcome: 'signed', token: RECORDED.token })
  const claim = createClaims([SECRET]).verify(RECORDED.claim, RECORDED.sessionCookie)
  expect(claim).toMatchObject({
    key: hash('sha256', RECORDED.token),
    n: 9_000_000_000_000_000,
    live: { user: { id: 'recorded-user', name: 'Ada', role: 'user' } },
  })
})

test('second cookies of a later release are ignored, and the session is read from a store', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const { id, cookie } = await signIn(a.database, await makeUser(a.database))
  await a.sessions.validate(cookie)
  const sessionCookie = cookie.split('session_token=')[1] ?? ''
  const [, ...fields] = JSON.parse(
    Buffer.from(RECORDED.claim.split('.')[1] ?? '', 'base64url').toString(),
  )
  const payloads = [
    JSON.stringify([2, ...fields]),
    JSON.stringify([1, ...fields, 'mfa']),
    JSON.stringify({ version: 2, key: 'x' }),
    '\u0002\u0010binary',
    '',
  ]
  for (const [index, payload] of payloads.entries()) {
    const later = await join(stores, `later-${index}`)
    const both = withCookie(cookie, signSecondCookie(payload, sessionCookie))
    const check = await later.sessions.validate(both)
    expect(check, payload).toMatchObject({ outcome: 'valid', tier: 'redis', session: { id } })
  }
})

test('a revocation of an unknown kind ends the trust in all cached sessions and second cookies', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const b = await join(stores, 'b')
  const { cookie } = await signIn(a.database, await makeUser(a.database))
  const both = await withSecondCookie(a, cookie)
  expect(await b.sessions.validate(both)).toMatchObject({ tier: 'cookie' })
  await appendMessage(stores.redisUrl, { kind: 'devices', cache: 'session', devices: ['d1'] })
  for (const { sessions } of [a, b]) {
    await until(async () => {
      const check = await sessions.validate(both)
      expect(check.outcome).toBe('valid')
      return check.outcome === 'valid' && check.tier !== 'memo' && check.tier !== 'cookie'
    })
  }
})

test('a revocation for an unknown reason is a revocation', async ({ stores, join }) => {
  const a = await join(stores, 'a')
  const userId = await makeUser(a.database)
  const { id, token, cookie } = await signIn(a.database, userId)
  await a.database.pool.query('delete from session where id = $1', [id])
  await a.database.pool.query(
    `update session_tombstone set reason = 'device-lost' where key = $1`,
    [hash('sha256', token)],
  )
  await a.sessions.settle({ confirm: 'all' })
  expect(await a.sessions.validate(cookie)).toEqual({ outcome: 'revoked' })
})

test('figures that a later release wrote in another form change no other figure, in both directions', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const { client } = a.redis
  await client.del(METRICS)
  await client.hset(METRICS, {
    format: '2',
    since: 'yesterday',
    login: '99999999999999999999',
    'total:memo': '1.5',
    'total:passkeys': '7',
    '29768000:logins': '3',
    '1795971808685:logins': '4',
    'total:failures': 'none',
  })
  const { cookie } = await signIn(a.database, await makeUser(a.database))
  await a.sessions.validate(cookie)
  await a.sessions.validate(cookie)
  a.sessions.noteLogin()
  const { scope, authentication } = await a.sessions.observability()
  expect(scope).toBe('cluster')
  expect(authentication).toMatchObject({
    logins: { total: 1, last24Hours: { [new Date().toISOString().slice(0, 13)]: 1 } },
    validations: { databaseQueries: 1, failures: 0 },
  })
  expect(Object.keys(authentication.logins.last24Hours)).toHaveLength(1)
  expect(await client.hmget(METRICS, 'total:memo', 'total:passkeys', 'format')).toEqual([
    '1.5',
    '7',
    '2',
  ])
})
