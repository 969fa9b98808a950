import { createMemoryBus } from '@repo/cache-broadcast/memory'
import { connectDatabase } from '@repo/database'
import { expect, findRawErrors, findRawErrorsOfOptions } from '@repo/testing'
import * as api from './index.ts'
import { test } from './join.fixture.ts'
import { createMemorySessions } from './memory.ts'
import { makeUser, SECRET, signIn } from './open.fixture.ts'

const isCoded = (error: unknown) =>
  error instanceof api.SessionError && ['bad-option', 'bad-argument'].includes(error.code)

const cookies = { secret: SECRET, acceptedSecrets: [SECRET], secure: false, port: 8_080 }
const header = 'a=b; better-auth-8080.session_token=x'

/** Functions without a store: each argument in turn, beside valid ones. */
const functions: Record<string, (value: never) => unknown> = {
  boundName: (value) => api.boundName(value),
  boundEmail: (value) => api.boundEmail(value),
  cookieSiteOf: (value) => api.cookieSiteOf(value),
  cookiePrefix: (value) => api.cookiePrefix(value),
  'chosenCookies(header)': (value) => api.chosenCookies(value, cookies),
  'chosenCookies(options)': (value) => api.chosenCookies(header, value),
  'removedCookies(header)': (value) => api.removedCookies(value, cookies, 'localhost'),
  'removedCookies(options)': (value) => api.removedCookies(header, value, 'localhost'),
  'removedCookies(host)': (value) => api.removedCookies(header, cookies, value),
  'sessionCookieHeader(token)': (value) => api.sessionCookieHeader(value, cookies),
  'sessionCookieHeader(options)': (value) => api.sessionCookieHeader('token', value),
  'carriesSessionCookie(header)': (value) => api.carriesSessionCookie(value, cookies),
  'carriesSessionCookie(site)': (value) => api.carriesSessionCookie(header, value),
  'sentTokens(header)': (value) => api.sentTokens(value, cookies),
  'sentTokens(options)': (value) => api.sentTokens(header, value),
  sessionRefusal: (value) => api.sessionRefusal(value),
  createSessions: (value) => api.createSessions(value),
  createMemorySessions: (value) => createMemorySessions(value),
  'setSessionLimit(database)': (value) => api.setSessionLimit(value, undefined),
}

test.for(Object.entries(functions))(
  'a hostile value for %s is accepted or refused with a coded error',
  async ([, call]) => {
    expect(await findRawErrors(call, { isCoded })).toEqual([])
  },
)

test('a hostile value in the options of cookies is refused with an error that names the option', async () => {
  const calls = [
    (options: typeof cookies) => api.chosenCookies(header, options),
    (options: typeof cookies) => api.removedCookies(header, options, 'localhost'),
    (options: typeof cookies) => api.sessionCookieHeader('token', options),
    (options: typeof cookies) => api.sentTokens(header, options),
  ]
  for (const call of calls) {
    expect(await findRawErrorsOfOptions(cookies, call, { isCoded })).toEqual([])
  }
})

test('a hostile value in the options of sessions is refused with an error that names the option', async ({
  stores,
}) => {
  const database = connectDatabase({ url: stores.databaseUrl, name: 'hostile', poolSize: 1 })
  const bus = createMemoryBus({ name: 'platform' })
  const valid = {
    ...cookies,
    database,
    bus,
    redis: undefined,
    log: undefined,
    trace: undefined,
    ttlMs: 1_000,
    cookieMs: 1_000,
    idleMs: 1_000,
    lifetimeMs: 1_000,
    graceMs: 1_000,
    maxEntries: 10,
    relayMs: 1_000,
    touchMs: 1_000,
  }
  const open = async (options: typeof valid) => api.createSessions(options).close()
  expect(await findRawErrorsOfOptions(valid, open, { isCoded })).toEqual([])
  const { bus: _, redis: __, ...alone } = { ...valid, replicas: 1 }
  const openAlone = async (options: typeof alone) => createMemorySessions(options).close()
  const isRefused = (error: unknown) => isCoded(error) || String(error).includes('replicas')
  expect(await findRawErrorsOfOptions(alone, openAlone, { isCoded: isRefused })).toEqual([])
  await bus.close()
  await database.close()
})

test('a hostile value in a call of sessions is refused before any store is used, and has no effect', async ({
  stores,
  join,
}) => {
  const { sessions, database } = await join(stores, 'a')
  const userId = await makeUser(database)
  const { id, token, cookie } = await signIn(database, userId)
  const count = async () => (await sessions.list(userId)).length
  const calls: Record<string, (value: never) => unknown> = {
    validate: (value) => sessions.validate(value),
    settle: (value) => sessions.settle(value),
    'settle(confirm)': (value) => sessions.settle({ confirm: value }),
    revoke: (value) => sessions.revoke(value),
    'revoke(sessionId)': (value) => sessions.revoke({ sessionId: value }),
    'revoke(of)': (value) => sessions.revoke({ sessionId: 'other', of: value }),
    'revoke(withSource)': (value) => sessions.revoke({ sessionId: 'other', withSource: value }),
    'revoke(userId)': (value) => sessions.revoke({ userId: value }),
    'revoke(except)': (value) => sessions.revoke({ userId: 'other', except: value }),
    'revoke(options)': (value) => sessions.revoke({ sessionId: 'other' }, value),
    rotate: (value) => sessions.rotate(value),
    list: (value) => sessions.list(value),
    'list(limit)': (value) => sessions.list(userId, { limit: value }),
    'list(first)': (value) => sessions.list(userId, { first: value }),
    observability: (value) => sessions.observability(value),
    'observability(scope)': (value) => sessions.observability({ scope: value }),
    ready: (value) => sessions.ready(value),
  }
  for (const [name, call] of Object.entries(calls)) {
    expect(await findRawErrors(call, { isCoded }), name).toEqual([])
  }
  expect(await count()).toBe(1)
  expect(await sessions.validate(cookie)).toMatchObject({ outcome: 'valid' })
  // An empty owner or exception is not the same as none.
  await expect(sessions.revoke({ sessionId: id, of: '' })).rejects.toThrow('target.of')
  await expect(sessions.revoke({ userId, except: '' })).rejects.toThrow('target.except')
  expect(await count()).toBe(1)
  expect(await sessions.rotate(token)).toMatchObject({ outcome: 'rotated' })
})

test('a hostile value in a limit of sessions is refused, and the previous limit applies', async ({
  stores,
  join,
}) => {
  const { database } = await join(stores, 'a')
  const limit = { max: 3, onExceeded: 'reject' } as const
  await api.setSessionLimit(database, limit)
  const calls = [
    (options: object) => Reflect.apply(api.setSessionLimit, undefined, [database, options]),
    (options: object) =>
      Reflect.apply(api.applySessionLimit, undefined, [{ database, limit: options, log: console }]),
  ]
  for (const call of calls)
    expect(await findRawErrorsOfOptions(limit, call, { isCoded })).toEqual([])
  const { rows } = await database.pool.query('select max_sessions from session_policy')
  expect(rows).toEqual([{ max_sessions: 3 }])
  await api.setSessionLimit(database, undefined)
})

test('a getter that returns another value after its check does not change the limit or the scope', async ({
  stores,
  join,
}) => {
  const { database, sessions } = await join(stores, 'a')
  let reads = 0
  const limit = {
    onExceeded: 'reject' as const,
    get max() {
      reads += 1
      return reads === 1 ? 3 : 500
    },
  }
  await api.setSessionLimit(database, limit)
  const { rows } = await database.pool.query('select max_sessions from session_policy')
  expect(rows).toEqual([{ max_sessions: 3 }])
  await api.setSessionLimit(database, undefined)
  const scopes: ('cluster' | 'instance')[] = ['instance', 'cluster']
  const options = {
    get scope() {
      return scopes.shift() ?? 'cluster'
    },
  }
  expect(await sessions.observability(options)).toMatchObject({ scope: 'instance' })
})

test('a circle of causes has no refusal, and a refusal of a later release is one', () => {
  const circle = new Error('a')
  circle.cause = circle
  expect(api.sessionRefusal(circle)).toBeUndefined()
  const later = new Error('wrapped', { cause: Object.assign(new Error('x'), { code: 'TF099' }) })
  expect(api.sessionRefusal(later)).toBe('other')
  const banned = new Error('wrapped', { cause: Object.assign(new Error('x'), { code: 'TF001' }) })
  expect(api.sessionRefusal(banned)).toBe('banned')
})

test('more than 20 sessions in one request are refused with a code, and so is no smaller number', () => {
  const sent = (n: number) =>
    Array.from({ length: n }, (_, i) => api.sessionCookieHeader(`token-${i}`, cookies)).join('; ')
  expect(api.sentTokens(sent(20), cookies)).toHaveLength(20)
  expect(() => api.sentTokens(sent(21), cookies)).toThrow(
    expect.objectContaining({ code: 'too-many-cookies' }),
  )
  const planted = `${sent(2)}; ${'better-auth-8080.session_token=x.y; '.repeat(5_000)}`
  expect(api.sentTokens(planted, cookies)).toHaveLength(2)
})
