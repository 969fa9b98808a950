import { type Bus, CacheError, createCache } from '@repo/cache-broadcast'
import { connectDatabase, schema } from '@repo/database'
import { contend, expect, findRawErrors, findRawErrorsOfOptions, until } from '@repo/testing'
import { vi } from 'vitest'
import { type Db, type Instance, test } from './open.fixture.ts'
import { createOutbox } from './outbox.ts'

/** An outbox that relays only in a call. */
function outboxOn({ bus }: Instance, db: Db) {
  return createOutbox({ bus, db, everyMs: 3_600_000 })
}

test('a message is published if its transaction commits, and is not if it rolls back', async ({
  redisUrl,
  join,
  db,
}) => {
  const a = await join(redisUrl, 'a')
  const outbox = outboxOn(a, db)
  let loads = 0
  const cache = createCache({
    bus: a.bus,
    name: 'user',
    parse: Number,
    load: async () => (loads += 1),
  })
  await cache.get('u1')
  const rolledBack = db.transaction(async (tx) => {
    await outbox.invalidate(tx, 'user', 'u1')
    throw new Error('no')
  })
  await expect(rolledBack).rejects.toThrow('no')
  expect(await outbox.relay()).toEqual({ relayed: 0, failed: 0, refused: 0 })
  expect(await cache.get('u1')).toBe(1)
  await db.transaction((tx) => outbox.invalidate(tx, 'user', 'u1'))
  expect(await outbox.relay()).toEqual({ relayed: 1, failed: 0, refused: 0 })
  expect(await cache.get('u1')).toBe(2)
  expect(await db.$count(schema.cacheOutbox)).toBe(0)
})

test('300 messages that three instances relay at the same time are each sent once, and no row is left', async ({
  redisUrl,
  join,
  db,
}) => {
  // Hundreds of concurrent calls on a busy machine need a longer deadline.
  const open = (id: string) => join(redisUrl, id, 5_000)
  const three = await Promise.all(['a', 'b', 'c'].map(open))
  const outboxes = three.map((instance) => outboxOn(instance, db))
  const heard: unknown[] = []
  three[0]!.bus.on('made', (data) => void heard.push(data))
  const made = await contend(300, (i) =>
    db.transaction((tx) => outboxes[i % 3]!.emit(tx, 'made', i)),
  )
  expect(made.filter(({ status }) => status === 'rejected')).toEqual([])
  await contend(9, (i) => outboxes[i % 3]!.relay())
  await until(async () => (await outboxes[0]!.relay()).relayed === 0)
  await until(() => new Set(heard).size === 300)
  expect(heard).toHaveLength(300)
  expect(await db.$count(schema.cacheOutbox)).toBe(0)
})

test('rows stay while Redis is unavailable, and are sent by the interval when it is available again', async ({
  ownValkey,
  join,
  db,
}) => {
  const a = await join(ownValkey.url, 'a')
  const heard: unknown[] = []
  a.bus.on('made', (data) => void heard.push(data))
  const outbox = createOutbox({ bus: a.bus, db, everyMs: 50 })
  await ownValkey.pause()
  await db.transaction((tx) => outbox.emit(tx, 'made', 1))
  // Redis hangs, so the outcome of the call is uncertain, and the message is sent again.
  await until(async () => (await outbox.relay()).failed === 1)
  ownValkey.resume()
  await until(async () => (await db.$count(schema.cacheOutbox)) === 0)
  await until(() => heard.length > 0)
  expect(new Set(heard)).toEqual(new Set([1]))
  await outbox.close()
})

test('a turn without a waiting row is one statement and no transaction, and a later turn sends a new row', async ({
  redisUrl,
  databaseUrl,
  join,
  db: other,
}) => {
  const a = await join(redisUrl, 'a')
  const heard: unknown[] = []
  a.bus.on('made', (data) => void heard.push(data))
  const { db, pool, close } = connectDatabase({ url: databaseUrl, name: 'turns', poolSize: 2 })
  const statements = vi.spyOn(pool, 'query')
  const transactions = vi.spyOn(db, 'transaction')
  const outbox = createOutbox({ bus: a.bus, db, everyMs: 5 })
  await until(() => statements.mock.calls.length >= 5)
  expect(transactions).not.toHaveBeenCalled()
  await other.transaction((tx) => outbox.emit(tx, 'made', 1))
  await until(() => heard.length > 0)
  expect(transactions).toHaveBeenCalled()
  await outbox.close()
  await close()
})

test('a row of an instance that ends before its commit is sent by another instance', async ({
  redisUrl,
  join,
  db,
}) => {
  const a = await join(redisUrl, 'a')
  const outbox = outboxOn(a, db)
  await db.transaction((tx) => outbox.emit(tx, 'made', 1))
  // As if the process ended after Redis had acknowledged: the transaction does not commit.
  const died = db.transaction(async (tx) => {
    await tx.select().from(schema.cacheOutbox).for('update', { skipLocked: true })
    expect(await outbox.relay()).toEqual({ relayed: 0, failed: 0, refused: 0 })
    throw new Error('killed')
  })
  await expect(died).rejects.toThrow('killed')
  expect(await outbox.relay()).toEqual({ relayed: 1, failed: 0, refused: 0 })
})

test('an event that can never be sent is set aside, a row of a later release stays, and other rows are sent', async ({
  redisUrl,
  join,
  db,
}) => {
  const a = await join(redisUrl, 'a')
  const outbox = outboxOn(a, db)
  const row = (message: object) => ({ bus: a.bus.name, message })
  // A release without a limit writes such rows. They are more than one turn takes.
  const large = Array.from({ length: 120 }, () =>
    row({ kind: 'event', event: 'made', data: 'x'.repeat(70_000) }),
  )
  const later = Array.from({ length: 120 }, () => row({ kind: 'of-the-future' }))
  await db.insert(schema.cacheOutbox).values([...large, ...later, row({ kind: 'keys', keys: 1 })])
  await db.transaction((tx) => outbox.emit(tx, 'made', 1))
  const seen: unknown[] = []
  a.bus.on('made', (data) => void seen.push(data))
  expect(await outbox.relay()).toEqual({ relayed: 0, failed: 0, refused: 100 })
  // An invalidation in another form must not be lost, so it stays too.
  expect(await outbox.relay()).toEqual({ relayed: 1, failed: 1, refused: 20 })
  await until(() => seen.length === 1)
  expect(await outbox.relay()).toEqual({ relayed: 0, failed: 1, refused: 0 })
  const rows = await db.select({ bus: schema.cacheOutbox.bus }).from(schema.cacheOutbox)
  const counts = Map.groupBy(rows, ({ bus }) => bus)
  expect(counts.get(a.bus.name)).toHaveLength(121)
  expect(counts.get(`${a.bus.name}:refused`)).toHaveLength(120)
})

async function openAndClose(options: { bus: Bus; db: Db; everyMs: number }) {
  await createOutbox(options).close()
}

const isCoded = (error: unknown) => error instanceof CacheError

test('a hostile argument is refused with a coded error before anything is written, or is stored', async ({
  redisUrl,
  join,
  db,
}) => {
  const a = await join(redisUrl, 'a', 5_000)
  const outbox = outboxOn(a, db)
  const calls: Record<string, (value: never) => unknown> = {
    tx: (value) => outbox.clear(value, 'user'),
    cache: (value) => db.transaction((tx) => outbox.invalidate(tx, value, 'u1')),
    keys: (value) => db.transaction((tx) => outbox.invalidate(tx, 'user', value)),
    tags: (value) => db.transaction((tx) => outbox.invalidateTag(tx, value)),
    cleared: (value) => db.transaction((tx) => outbox.clear(tx, value)),
    event: (value) => db.transaction((tx) => outbox.emit(tx, value, 1)),
    data: (value) => db.transaction((tx) => outbox.emit(tx, 'made', value)),
    drain: (value) => outbox.drain(value),
    timeoutMs: (value) => outbox.drain({ timeoutMs: value }),
  }
  for (const [argument, call] of Object.entries(calls)) {
    const except = ['an array of 200,000 strings']
    expect([argument, await findRawErrors(call, { isCoded, except })]).toEqual([argument, []])
  }
  await outbox.drain({ timeoutMs: 10_000 })
  expect(await db.$count(schema.cacheOutbox)).toBe(0)
  const trace = { current: () => undefined, begin: () => undefined }
  const valid = { bus: a.bus, db, everyMs: 3_600_000, trace }
  expect(await findRawErrorsOfOptions(valid, openAndClose, { isCoded })).toEqual([])
})
