import { connectDatabase, migrateDatabase, schema } from '@repo/database'
import { contend, expect, until } from '@repo/testing'
import { createCache } from './index.ts'
import { type Instance, test as base } from './open.fixture.ts'
import { createOutbox } from './outbox.ts'

const test = base.extend('db', async ({ databaseUrl }, { onCleanup }) => {
  await migrateDatabase({ url: databaseUrl })
  const pool = { poolSize: 8, deadlineMs: 20_000 }
  const { db, close } = connectDatabase({ url: databaseUrl, name: 'outbox', ...pool })
  await db.delete(schema.cacheOutbox)
  onCleanup(close)
  return db
})

type Db = ReturnType<typeof connectDatabase>['db']

/** One that relays only when asked. */
function outboxOn({ bus }: Instance, db: Db) {
  return createOutbox({ bus, db, everyMs: 3_600_000 })
}

test('what a transaction says is said when it commits, and not when it rolls back', async ({
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
  expect(await outbox.relay()).toEqual({ relayed: 0, failed: 0 })
  expect(await cache.get('u1')).toBe(1)
  await db.transaction((tx) => outbox.invalidate(tx, 'user', 'u1'))
  expect(await outbox.relay()).toEqual({ relayed: 1, failed: 0 })
  expect(await cache.get('u1')).toBe(2)
  expect(await db.$count(schema.cacheOutbox)).toBe(0)
})

test('of 300 messages that three instances relay at once, each is sent, and no row is left', async ({
  redisUrl,
  join,
  db,
}) => {
  // Hundreds of calls at once on a busy machine are not what a deadline is for.
  const open = (id: string) => join(redisUrl, id, { deadlineMs: 5_000 })
  const three = await Promise.all(['a', 'b', 'c'].map(open))
  const outboxes = three.map((it) => outboxOn(it, db))
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

test('while Redis is away rows stay, and go out when it is back, by themselves', async ({
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
  // Hung, not gone: its outcome is unknown, and it is sent again.
  await until(async () => (await outbox.relay()).failed === 1)
  ownValkey.resume()
  await until(async () => (await db.$count(schema.cacheOutbox)) === 0)
  await until(() => heard.length > 0)
  expect(new Set(heard)).toEqual(new Set([1]))
  await outbox.close()
})

test('who relays and dies before the end leaves the row to the others', async ({
  redisUrl,
  join,
  db,
}) => {
  const a = await join(redisUrl, 'a')
  const outbox = outboxOn(a, db)
  await db.transaction((tx) => outbox.emit(tx, 'made', 1))
  // As if killed after Redis had acknowledged: the transaction ends without a commit.
  const died = db.transaction(async (tx) => {
    await tx.select().from(schema.cacheOutbox).for('update', { skipLocked: true })
    expect(await outbox.relay()).toEqual({ relayed: 0, failed: 0 })
    throw new Error('killed')
  })
  await expect(died).rejects.toThrow('killed')
  expect(await outbox.relay()).toEqual({ relayed: 1, failed: 0 })
})
