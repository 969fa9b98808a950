import { randomUUID } from 'node:crypto'
import { createCache } from '@repo/cache-broadcast'
import { type DatabaseConnection, migrateDatabase } from '@repo/database'
import { expect, test as base, until } from '@repo/testing'
import { z } from 'zod'
import { createKeyText, writeKeyText } from './key-text.ts'
import { createKeys, type KeysOptions } from './keys.ts'
import {
  closeInstance,
  type Joined,
  makeKey,
  makeUser,
  openInstance,
  type Stores,
} from './open.fixture.ts'

const IP = '192.0.2.1'

const test = base.extend('join', async ({ databaseUrl, redisUrl }, { onCleanup }) => {
  const all: Joined[] = []
  onCleanup(async () => void (await Promise.all(all.map(closeInstance))))
  return async (options: Partial<KeysOptions> & Partial<Stores> = {}, name = randomUUID()) => {
    const one = await openInstance({ databaseUrl, redisUrl, ...options }, name, options)
    all.push(one)
    return one
  }
})

test.beforeAll(({ databaseUrl }) => migrateDatabase({ url: databaseUrl }))

/** Keys of the instance on a database that counts its queries. */
function counted({ database, bus, sessions }: Joined, options: Partial<KeysOptions> = {}) {
  const count = { queries: 0 }
  const pool = new Proxy(database.pool, {
    get(target, name) {
      if (name === 'query') count.queries += 1
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const keys = createKeys({
    database: { ...database, pool },
    bus,
    sessions,
    useMs: 3_600_000,
    ...options,
  })
  return { keys, count }
}

const invented = () => writeKeyText(createKeyText())

test('a key is valid on another instance with its user and scopes, and after the first check without a promise', async ({
  join,
}) => {
  const [a, b] = [await join(), await join()]
  const { userId, id, text } = await makeKey(a, ['payments:read', 'account:read'])
  const key = { id, userId, userName: 'Ada', email: `${userId}@x`, name: 'Build' }
  const check = await b.keys.check(text, IP)
  expect(check).toMatchObject({ outcome: 'valid', key })
  expect(check).toMatchObject({ key: { scopes: ['payments:read', 'account:read'] } })
  expect(b.keys.check(text, IP)).toMatchObject({ outcome: 'valid' })
})

test('PostgreSQL and Redis have no part of the secret of a key, only its hash', async ({
  join,
}) => {
  const one = await join()
  const { text, id } = await makeKey(one)
  await one.keys.check(text, IP)
  const secret = text.slice(-43)
  const { rows } = await one.database.pool.query('select * from api_key where id = $1', [id])
  expect(JSON.stringify(rows)).toContain(id)
  expect(JSON.stringify(rows)).not.toContain(secret)
  const stored = await one.redis.call(async (client) => {
    const names = await client.keys('*')
    const values = await Promise.all(names.map((name) => client.dump(name)))
    return [...names, ...values].join('\n')
  })
  expect(stored).toContain(id)
  expect(stored).not.toContain(secret)
})

test('K1: a malformed key is refused without a promise and without a query', async ({ join }) => {
  const { keys, count } = counted(await join())
  const text = invented()
  const malformed = [
    '',
    'tf_',
    text.slice(0, -1),
    `${text}A`,
    ` ${text}`,
    text.toUpperCase(),
    text.replace('tf_', 'sk_'),
    `${text.slice(0, -1)}=`,
    `${text.slice(0, -1)}\u0000`,
    `tf_${"'".repeat(12)}_${'A'.repeat(43)}`,
    'tf_'.padEnd(2_000_000, 'a'),
  ]
  for (const each of malformed) {
    expect(keys.check(each, IP)).toEqual({ outcome: 'refused', fault: 'malformed' })
  }
  expect(count.queries).toBe(0)
})

test('a key with another secret is unknown, and causes no query when its record is in memory', async ({
  join,
}) => {
  const one = await join()
  const { text } = await makeKey(one)
  const { keys, count } = counted(one)
  expect(await keys.check(text, IP)).toMatchObject({ outcome: 'valid' })
  for (let n = 0; n < 200; n += 1) {
    const forged = `${text.slice(0, -43)}${invented().slice(-43)}`
    expect(await keys.check(forged, IP)).toEqual({ outcome: 'refused', fault: 'unknown' })
  }
  expect(count.queries).toBeLessThanOrEqual(1)
})

test('K5: 500 checks of one unknown key make one query', async ({ join }) => {
  const { keys, count } = counted(await join())
  const text = invented()
  const unknown = { outcome: 'refused', fault: 'unknown' }
  const checks = await Promise.all(Array.from({ length: 400 }, async () => keys.check(text, IP)))
  for (const check of checks) expect(check).toEqual(unknown)
  for (let n = 0; n < 100; n += 1) expect(await keys.check(text, IP)).toEqual(unknown)
  expect(count.queries).toBe(1)
})

test('K5: 300 invented keys from one /64 cause 100 queries, and another address is served', async ({
  join,
}) => {
  const one = await join()
  const { text } = await makeKey(one)
  const { keys, count } = counted(one)
  const outcomes = new Map<string, number>()
  for (let n = 0; n < 300; n += 1) {
    const { outcome } = await keys.check(invented(), `2001:db8::${(n % 1_000) + 1}`)
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  expect(Object.fromEntries(outcomes)).toEqual({ refused: 100, throttled: 200 })
  expect(count.queries).toBe(100)
  expect(await keys.check(text, '2001:db8::1')).toMatchObject({
    outcome: 'throttled',
    retryAfterSeconds: expect.toBeOneOf([58, 59, 60]),
  })
  expect(await keys.check(text, '2001:db8:0:1::1')).toMatchObject({ outcome: 'valid' })
  expect(keys.check(text, '2001:db8::1')).toMatchObject({ outcome: 'valid' })
})

test('a revoked key and an expired key are named as such only to a caller with the secret', async ({
  join,
}) => {
  const one = await join()
  const [revoked, expired] = [await makeKey(one), await makeKey(one)]
  expect(await one.keys.revoke(revoked.userId, revoked.id)).toMatchObject({
    outcome: 'confirmed',
    revoked: 1,
  })
  expect(await one.keys.revoke(revoked.userId, revoked.id)).toEqual({ outcome: 'not-found' })
  await one.database.pool.query(`update api_key set expires_at = now() where id = $1`, [expired.id])
  await one.sessions.settle({ confirm: 'all' })
  for (const [{ text }, fault] of [
    [revoked, 'revoked'],
    [expired, 'expired'],
  ] as const) {
    expect(await one.keys.check(text, IP)).toEqual({ outcome: 'refused', fault })
    const forged = `${text.slice(0, -43)}${invented().slice(-43)}`
    expect(await one.keys.check(forged, IP)).toEqual({ outcome: 'refused', fault: 'unknown' })
  }
})

test('a revoked key stays revoked, by any statement', async ({ join }) => {
  const { keys, database, sessions } = await join()
  const { userId, id, text } = await makeKey({ keys, database })
  await keys.revoke(userId, id)
  await database.pool.query('update api_key set revoked_at = null where id = $1', [id])
  await sessions.settle({ confirm: 'all' })
  expect(await keys.check(text, IP)).toEqual({ outcome: 'refused', fault: 'revoked' })
})

test('a user cannot revoke the key of another user, or a key with an id that is no id', async ({
  join,
}) => {
  const { keys, database } = await join()
  const { id, text } = await makeKey({ keys, database })
  const { userId } = await makeUser(database)
  for (const each of [id, '', "' or true", '\u0000', 'x'.repeat(1_000_000)]) {
    expect(await keys.revoke(userId, each)).toEqual({ outcome: 'not-found' })
  }
  expect(await keys.check(text, IP)).toMatchObject({ outcome: 'valid' })
})

test('K4: a session that has ended, or is another user’s, creates no key', async ({ join }) => {
  const { keys, database } = await join()
  const [ada, other] = [await makeUser(database), await makeUser(database)]
  const newKey = { name: 'Build', scopes: ['payments:read'] }
  const mixed = { userId: ada.userId, sessionId: other.sessionId }
  expect(await keys.create(mixed, newKey)).toEqual({ outcome: 'signed-out' })
  await database.pool.query('delete from session where id = $1', [ada.sessionId])
  expect(await keys.create(ada, newKey)).toEqual({ outcome: 'signed-out' })
  await database.pool.query('delete from "user" where id = $1', [other.userId])
  expect(await keys.create(other, newKey)).toEqual({ outcome: 'signed-out' })
  expect(await keys.list(ada.userId)).toEqual([])
})

test('K4: 120 concurrent creations on two instances make 50 keys', async ({ join }) => {
  const two = [await join(), await join()]
  const caller = await makeUser(two[0]!.database)
  const newKey = { name: 'Build', scopes: [] }
  const creations = Array.from({ length: 120 }, (_, n) => two[n % 2]!.keys.create(caller, newKey))
  const created = (await Promise.all(creations)).filter(({ outcome }) => outcome === 'created')
  expect(created).toHaveLength(50)
  expect(await two[0]!.keys.list(caller.userId)).toHaveLength(50)
})

async function banDuringCreations(two: Joined[]): Promise<number> {
  const { pool } = two[0]!.database
  const caller = await makeUser(two[0]!.database)
  const newKey = { name: 'Build', scopes: [] }
  const creations = Array.from({ length: 20 }, (_, n) => two[n % 2]!.keys.create(caller, newKey))
  const ban = pool.query('update "user" set banned = true where id = $1', [caller.userId])
  const [made] = await Promise.all([Promise.all(creations), ban])
  await two[1]!.sessions.settle({ confirm: 'all' })
  await pool.query('update "user" set banned = false where id = $1', [caller.userId])
  const texts = made.flatMap((each) => (each.outcome === 'created' ? [each.text] : []))
  const checks = await Promise.all(texts.map(async (text) => two[0]!.keys.check(text, IP)))
  return checks.filter(({ outcome }) => outcome === 'valid').length
}

test('K4: a ban during 20 creations on two instances leaves no key, not even when it is lifted', async ({
  join,
}) => {
  const two = [await join(), await join()]
  for (let round = 0; round < Number(process.env['RACE_ROUNDS'] ?? 5); round += 1) {
    expect(await banDuringCreations(two)).toBe(0)
  }
})

/** Counts each write of a last use, by key. */
async function countWrites({ pool }: DatabaseConnection) {
  await pool.query(`create table if not exists use_write (id text not null);
    create or replace function note_use_write() returns trigger language plpgsql as
      $$ begin insert into use_write values (new.id); return null; end $$;
    create or replace trigger note_use_write after update of last_used_at on api_key
      for each row execute function note_use_write()`)
}

test('K6: 3,000 uses of a key on three instances in a minute are one write, and later ones move its time forward only', async ({
  join,
}) => {
  let nowMs = Date.now() - 600_000
  const clock = { nowMs: () => nowMs, observe: () => undefined }
  const first = await join()
  await countWrites(first.database)
  const { id, text, userId } = await makeKey(first)
  const three = [first, await join(), await join()].map(({ database, bus, sessions }) => {
    const timed = { ...sessions, clock }
    return createKeys({ database, bus, sessions: timed, useMs: 3_600_000 })
  })
  const lastUsedMs = async () => (await first.keys.list(userId))[0]?.lastUsedAt?.getTime()
  const writes = async () => {
    const counting = 'select count(*)::int as n from use_write where id = $1'
    return (await first.database.pool.query<{ n: number }>(counting, [id])).rows[0]?.n
  }
  const flush = () => Promise.all(three.map((keys) => keys.flush()))
  const startMs = nowMs
  for (const keys of three) await keys.check(text, IP)
  for (let n = 0; n < 1_000; n += 1) {
    nowMs += 50
    for (const keys of three) expect(keys.check(text, IP)).toMatchObject({ outcome: 'valid' })
    if (n % 100 === 0) await flush()
  }
  expect(await writes()).toBe(1)
  expect(await lastUsedMs()).toBeLessThanOrEqual(startMs + 50)
  nowMs = startMs + 120_000
  void three[0]!.check(text, IP)
  nowMs = startMs + 130_000
  void three[1]!.check(text, IP)
  nowMs = startMs + 240_000
  await three[1]!.flush()
  await three[0]!.flush()
  expect(await writes()).toBe(2)
  expect(await lastUsedMs()).toBe(startMs + 130_000)
  await Promise.all(three.map((keys) => keys.close()))
})

test('a last use is written when its instance ends', async ({ join }) => {
  const [a, b] = [await join(), await join()]
  const { text, userId } = await makeKey(a)
  await b.keys.check(text, IP)
  expect(await a.keys.list(userId)).toMatchObject([{ lastUsedAt: null }])
  await b.keys.close()
  const [key] = await a.keys.list(userId)
  expect(key?.lastUsedAt?.getTime()).toBeGreaterThanOrEqual(key?.createdAt.getTime() ?? Infinity)
})

test('an instance that used a key closes while PostgreSQL is unavailable', async ({
  join,
  databaseUrl,
  tcpProxy,
}) => {
  const postgres = await tcpProxy({ target: databaseUrl })
  const one = await join({ databaseUrl: postgres.url })
  const { text } = await makeKey(one)
  expect(await one.keys.check(text, IP)).toMatchObject({ outcome: 'valid' })
  await postgres.cut()
  await one.keys.close()
  await postgres.heal()
})

test('while PostgreSQL is unavailable a cached key is valid; while Redis is too, no key is refused as unknown', async ({
  join,
  databaseUrl,
  redisUrl,
  tcpProxy,
}) => {
  const postgres = await tcpProxy({ target: databaseUrl })
  const redis = await tcpProxy({ target: redisUrl })
  const one = await join({ databaseUrl: postgres.url, redisUrl: redis.url })
  const other = await join()
  const [cached, cold] = [await makeKey(other), await makeKey(other)]
  await one.keys.check(cached.text, IP)
  await postgres.cut()
  expect(await one.keys.check(cached.text, IP)).toMatchObject({ outcome: 'valid' })
  expect(await one.keys.check(cold.text, IP)).toMatchObject({ outcome: 'unavailable' })
  await redis.cut()
  await until(async () => {
    const { outcome } = await one.keys.check(cached.text, IP)
    expect(outcome).toBeOneOf(['valid', 'unavailable'])
    return outcome === 'unavailable'
  })
  expect(await one.keys.check(invented(), IP)).toMatchObject({ outcome: 'unavailable' })
  await Promise.all([postgres.heal(), redis.heal()])
  await until(async () => (await one.keys.check(cold.text, IP)).outcome === 'valid')
})

test('while Redis is unavailable, keys are checked by PostgreSQL', async ({
  join,
  redisUrl,
  tcpProxy,
}) => {
  const redis = await tcpProxy({ target: redisUrl })
  const one = await join({ redisUrl: redis.url })
  const [key, ended] = [await makeKey(one), await makeKey(one)]
  await redis.cut()
  expect(await one.keys.revoke(ended.userId, ended.id)).toMatchObject({ outcome: 'pending' })
  await until(() => one.sessions.trust?.holds() === false)
  expect(await one.keys.check(key.text, IP)).toMatchObject({ outcome: 'valid' })
  expect(await one.keys.check(ended.text, IP)).toEqual({ outcome: 'refused', fault: 'revoked' })
  await redis.heal()
})

test('a record of the next release is read without a query, and a record in an unknown form is loaded again', async ({
  join,
}) => {
  const [a, next] = [await join(), await join()]
  const { text, id, userId } = await makeKey(a)
  const check = await a.keys.check(text, IP)
  const record = check.outcome === 'valid' ? check.key : undefined
  const cache = createCache<object>({
    bus: next.bus,
    name: 'api-key',
    tags: () => [`user:${userId}`],
    load: async () => undefined,
    parse: (stored) => z.looseObject({}).parse(stored),
  })
  const { keys, count } = counted(a)
  await cache.set(id, { ...record, addedLater: true }, { wait: 'everywhere' })
  expect(await keys.check(text, IP)).toMatchObject({ outcome: 'valid', key: { id } })
  expect(count.queries).toBe(0)
  await cache.set(id, { version: 2 }, { wait: 'everywhere' })
  expect(await keys.check(text, IP)).toMatchObject({ outcome: 'valid', key: { id } })
  expect(count.queries).toBe(1)
})

test('an instance of the release before, without API keys, drops no other cached value at a revocation', async ({
  join,
}) => {
  const [a, before] = [await join(), await join()]
  await before.keys.close()
  const { userId, id } = await makeKey(a)
  const { resyncs, unknown } = before.bus.health()
  expect(await a.keys.revoke(userId, id)).toMatchObject({ outcome: 'confirmed', instances: 2 })
  expect(before.bus.health()).toMatchObject({ resyncs, unknown })
})
