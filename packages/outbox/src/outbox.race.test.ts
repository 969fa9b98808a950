import { type Bus, CacheError, createCache } from '@repo/cache-broadcast'
import { schema } from '@repo/database'
import { contend, expect, findRawErrors, findRawErrorsOfOptions, until } from '@repo/testing'
import { type Db, type Instance, test } from './open.fixture.ts'
import { createOutbox } from './outbox.ts'

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
  expect(await outbox.relay()).toEqual({ relayed: 0, failed: 0, refused: 0 })
  expect(await cache.get('u1')).toBe(1)
  await db.transaction((tx) => outbox.invalidate(tx, 'user', 'u1'))
  expect(await outbox.relay()).toEqual({ relayed: 1, failed: 0, refused: 0 })
  expect(await cache.get('u1')).toBe(2)
  expect(await db.$count(schema.cacheOutbox)).toBe(0)
})

test('of 300 messages that three instances relay at once, each is sent, and no row is left', async ({
  redisUrl,
  join,
  db,
}) => {
  // Hundreds of calls at once on a busy machine are not what a deadline is for.
  const open = (id: string) => join(redisUrl, id, 5_000)
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
    expect(await outbox.relay()).toEqual({ relayed: 0, failed: 0, refused: 0 })
    throw new Error('killed')
  })
  await expect(died).rejects.toThrow('killed')
  expect(await outbox.relay()).toEqual({ relayed: 1, failed: 0, refused: 0 })
})

test('an event that can never be sent is set aside, and a row of a later release stays: none blocks the rest', async ({
  redisUrl,
  join,
  db,
}) => {
  const a = await join(redisUrl, 'a')
  const outbox = outboxOn(a, db)
  const row = (message: object) => ({ bus: a.bus.name, message })
  // As a release without a limit writes it; more than one turn takes.
  const large = Array.from({ length: 120 }, () =>
    row({ kind: 'event', event: 'made', data: 'x'.repeat(70_000) }),
  )
  const later = Array.from({ length: 120 }, () => row({ kind: 'of-the-future' }))
  await db.insert(schema.cacheOutbox).values([...large, ...later, row({ kind: 'keys', keys: 1 })])
  await db.transaction((tx) => outbox.emit(tx, 'made', 1))
  const seen: unknown[] = []
  a.bus.on('made', (data) => void seen.push(data))
  expect(await outbox.relay()).toEqual({ relayed: 0, failed: 0, refused: 100 })
  // An invalidation in another form may not be lost: it stays too.
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
  const valid = { bus: a.bus, db, everyMs: 3_600_000 }
  expect(await findRawErrorsOfOptions(valid, openAndClose, { isCoded })).toEqual([])
})
