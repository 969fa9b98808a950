import { createHistogram, createMetrics } from '@repo/observability'
import { expect, test, until } from '@repo/testing'
import { sql } from 'drizzle-orm'
import { connectDatabase, type DatabaseConnection, type DatabaseOptions } from '../connect.ts'
import { databaseFigures } from './figures.ts'

/** Connects, and returns a function that reads a number from a scrape: `waiting`, `errors_total{kind="server"}`. */
function connect(url: string, options: Partial<DatabaseOptions> = {}) {
  const database = connectDatabase({ url, name: 'test-1', poolSize: 2, ...options })
  const metrics = createMetrics({ app: 'a', instance: 'i' })
  metrics.observe(databaseFigures(database, createHistogram))
  async function read(series: string): Promise<number> {
    const lines = (await metrics.registry.metrics()).split('\n')
    const [name = '', label] = series.replace('}', '').split('{')
    const line = lines.find(
      (each) => each.startsWith(`threefold_database_${name}{`) && each.includes(label ?? ''),
    )
    return Number(line?.split(' ').at(-1))
  }
  const errors = async () => {
    const { stats } = database
    const counted = Object.entries(stats.errors).filter(([, count]) => count > 0)
    for (const [kind, count] of counted) {
      expect(await read(`errors_total{kind="${kind}"}`)).toBe(count)
    }
    return Object.fromEntries(counted)
  }
  return { ...database, read, errors, [Symbol.asyncDispose]: database.close }
}

const failure = (call: PromiseLike<unknown>) =>
  Promise.resolve(call).then(
    () => expect.unreachable('it did not fail'),
    (error: unknown) => error,
  )

test('a scrape shows the connections in use, the idle ones and the calls that wait', async ({
  databaseUrl,
}) => {
  await using database = connect(databaseUrl)
  const { pool, read } = database
  expect(await read('connections_max')).toBe(2)
  const held = await pool.connect()
  const second = await pool.connect()
  const waiting = [pool.query('select 1'), pool.query('select 1'), pool.query('select 1')]
  expect(await read('connections{state="active"}')).toBe(2)
  expect(await read('connections{state="idle"}')).toBe(0)
  expect(await read('waiting')).toBe(3)
  held.release()
  second.release()
  await Promise.all(waiting)
  expect(await read('connections{state="active"}')).toBe(0)
  expect(await read('connections{state="idle"}')).toBe(2)
  expect(await read('waiting')).toBe(0)
})

const ways: Record<string, (database: DatabaseConnection) => PromiseLike<unknown>> = {
  'a query of the pool': ({ pool }) => pool.query('select pg_sleep(0.06)'),
  'a query of Drizzle': ({ db }) => db.execute(sql`select pg_sleep(0.06)`),
  'a query with a callback': async ({ pool }) => {
    const client = await pool.connect()
    const { promise, resolve } = Promise.withResolvers<void>()
    client.query('select pg_sleep(0.06)', [], () => resolve())
    await promise.finally(() => client.release())
  },
}

test.for(Object.keys(ways))('%s is counted once, with its time', async (way, { databaseUrl }) => {
  await using database = connect(databaseUrl)
  await ways[way]?.(database)
  expect(await database.read('query_seconds_count')).toBe(1)
  expect(await database.read('query_seconds_bucket{le="0.05"}')).toBe(0)
  expect(await database.read('query_seconds_sum')).toBeGreaterThan(0.05)
  expect(await database.errors()).toEqual({})
})

test('each statement of a transaction is counted, and the wait for a connection is no part of its time', async ({
  databaseUrl,
}) => {
  await using database = connect(databaseUrl, { poolSize: 1 })
  const held = await database.pool.connect()
  const startedMs = performance.now()
  const inTransaction = database.db.transaction((tx) => tx.execute(sql`select 1`))
  await new Promise((resolve) => setTimeout(resolve, 300))
  held.release()
  await inTransaction
  const passedSeconds = (performance.now() - startedMs) / 1_000
  // BEGIN, SELECT and COMMIT.
  expect(await database.read('query_seconds_count')).toBe(3)
  expect(await database.read('query_seconds_sum')).toBeLessThan(passedSeconds - 0.29)
})

test('errors of statements are counted by kind', async ({ databaseUrl }) => {
  await using database = connect(databaseUrl)
  const { pool, db } = database
  await pool.query('create table figure (id int primary key)')
  await pool.query('insert into figure values (1)')
  await failure(pool.query('select nothing from nowhere'))
  await failure(db.execute(sql`select 1 / 0`))
  await failure(pool.query('insert into figure values (1)'))
  await db.transaction(async (tx) => {
    await tx.execute(sql`select * from figure for update`)
    await failure(pool.query('select * from figure for update nowait'))
  })
  expect(await database.errors()).toEqual({ statement: 2, constraint: 1, conflict: 1 })
})

test('a server that hangs and one that is gone are counted as what each call missed', async ({
  ownPostgres,
}) => {
  await using database = connect(ownPostgres.url, { poolSize: 1, deadlineMs: 400 })
  await database.ping()
  await ownPostgres.pause()
  // One call on the connection, and one that waits for it.
  await Promise.all([failure(database.ping()), failure(database.ping())])
  expect(await database.errors()).toEqual({ no_answer: 1, no_connection: 1 })
  ownPostgres.resume()
  await until(() => database.ping().then(() => true))
  const before = await database.errors()
  await failure(database.pool.query('select pg_terminate_backend(pg_backend_pid())'))
  expect(await database.errors()).toEqual({ ...before, server: 1 })
})

test('a transaction whose connection ends is one failure, and its ROLLBACK is neither counted nor timed', async ({
  ownPostgres,
}) => {
  await using database = connect(ownPostgres.url, { poolSize: 1, deadlineMs: 400 })
  const { db, ping, read, errors } = database
  await ping()
  const timed = await read('query_seconds_count')
  const end = sql`select pg_terminate_backend(pg_backend_pid())`
  await failure(db.transaction((tx) => tx.execute(end)))
  expect(await errors()).toEqual({ server: 1 })
  // BEGIN and SELECT.
  expect(await read('query_seconds_count')).toBe(timed + 2)
  await failure(
    db.transaction(async (tx) => {
      await ownPostgres.pause()
      await tx.execute(sql`select 1`)
    }),
  )
  ownPostgres.resume()
  expect(await errors()).toEqual({ server: 1, no_answer: 1 })
  expect(await read('query_seconds_count')).toBe(timed + 4)
})

test.for([
  ['', undefined],
  [', and with an observer too', () => () => undefined],
] as const)(
  'a failed query that its caller ignores is still an unhandled rejection%s',
  async ([, observeQuery], { databaseUrl }) => {
    await using database = connect(databaseUrl, { observeQuery })
    const client = await database.pool.connect()
    const unhandled: unknown[] = []
    const listeners = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    process.on('unhandledRejection', (error) => unhandled.push(error))
    try {
      void client.query('select nothing from nowhere')
      await until(() => unhandled.length > 0)
    } finally {
      process.removeAllListeners('unhandledRejection')
      for (const listener of listeners) process.on('unhandledRejection', listener)
    }
    client.release()
    expect(unhandled).toMatchObject([{ code: '42P01' }])
    expect(await database.errors()).toEqual({ statement: 1 })
  },
)
