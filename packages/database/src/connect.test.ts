import { awakeMs, expect, test, until } from '@repo/testing'
import { isDatabaseUnavailable } from './availability.ts'
import { connectDatabase, type DatabaseOptions } from './connect.ts'

function connect(url: string, options: Partial<DatabaseOptions> = {}) {
  const database = connectDatabase({
    url,
    name: 'test-1',
    poolSize: 2,
    deadlineMs: 1_000,
    ...options,
  })
  return { ...database, [Symbol.asyncDispose]: database.close }
}

/** Expects the call to fail as unavailable within 2 s. Returns its duration. */
async function failsInTime(call: () => PromiseLike<unknown>): Promise<number> {
  const startedMs = awakeMs()
  const error = await Promise.resolve(call()).then(
    () => expect.unreachable('it did not fail'),
    (reason: unknown) => reason,
  )
  const ms = awakeMs() - startedMs
  expect(error).toSatisfy(isDatabaseUnavailable)
  expect(ms).toBeLessThan(2_000)
  return ms
}

test('queries, waiting calls and new connections on a server that hangs fail within 2 s, and later succeed', async ({
  ownPostgres,
}) => {
  await using database = connect(ownPostgres.url)
  await database.ping()
  await ownPostgres.pause()
  // One on the idle connection, one on a new connection, and 18 that wait.
  await Promise.all(Array.from({ length: 20 }, () => failsInTime(database.ping)))
  await failsInTime(database.ping)
  ownPostgres.resume()
  await until(() => database.ping().then(() => true))
  expect(database.pool.totalCount).toBeLessThanOrEqual(2)
})

// Drizzle released the connection with an open transaction. The next insert succeeded, became a
// part of this transaction, and was never committed.
test.for([{ swallowed: false }, { swallowed: true }])(
  'a server that hangs leaves no open transaction on a connection, and no later write is lost: %o',
  async ({ swallowed }, { ownPostgres }) => {
    await using database = connect(ownPostgres.url, { poolSize: 1, deadlineMs: 600 })
    await database.pool.query('create table written (what text)')
    const inTransaction = database.db.transaction(async (tx) => {
      await tx.execute(`insert into written values ('half')`)
      await ownPostgres.pause()
      const unanswered = tx.execute(`insert into written values ('other half')`)
      if (swallowed) await failsInTime(() => unanswered)
      else await unanswered
    })
    await failsInTime(() => inTransaction)
    ownPostgres.resume()
    await until(() => database.ping().then(() => true))
    await database.pool.query(`insert into written values ('later')`)
    await using other = connect(ownPostgres.url)
    const { rows } = await other.pool.query('select what from written')
    expect(rows).toEqual([{ what: 'later' }])
  },
)

test('a transaction on a server that hangs ends after one deadline, without another one for its ROLLBACK', async ({
  ownPostgres,
}) => {
  await using database = connect(ownPostgres.url, { poolSize: 1, deadlineMs: 1_000 })
  let pausedMs = 0
  const inTransaction = database.db.transaction(async (tx) => {
    await ownPostgres.pause()
    pausedMs = awakeMs()
    await tx.execute('select 1')
  })
  await failsInTime(() => inTransaction)
  expect(awakeMs() - pausedMs).toBeLessThan(2 * 1_000)
})

// Drizzle never released a connection whose BEGIN failed, so a pool of n failed after n of them.
test('a connection whose BEGIN has no reply is replaced', async ({ ownPostgres }) => {
  await using database = connect(ownPostgres.url, { poolSize: 1, deadlineMs: 600 })
  await database.ping()
  await ownPostgres.pause()
  await failsInTime(() => database.db.transaction(async () => 'never'))
  ownPostgres.resume()
  await until(() => database.ping().then(() => true))
  expect(await database.db.transaction(async () => 'done')).toBe('done')
  expect(database.pool.idleCount).toBe(1)
})

test('close() resolves although the server hangs', async ({ ownPostgres }) => {
  const database = connect(ownPostgres.url, { deadlineMs: 600 })
  await database.ping()
  await ownPostgres.pause()
  const startedMs = awakeMs()
  await database.close()
  expect(awakeMs() - startedMs).toBeLessThan(1_500)
})

test('a killed server is unavailable within 2 s, also in a transaction, and used again after its restart', async ({
  ownPostgres,
}) => {
  await using database = connect(ownPostgres.url)
  await database.pool.query('create table written (what text)')
  const inTransaction = database.db.transaction(async (tx) => {
    await tx.execute(`insert into written values ('half')`)
    // Between two statements, the error event of the client ended the process.
    await ownPostgres.kill()
    await tx.execute(`insert into written values ('other half')`)
  })
  await expect(inTransaction).rejects.toSatisfy(isDatabaseUnavailable)
  await failsInTime(database.ping)
  await ownPostgres.restart()
  await database.pool.query(`insert into written values ('later')`)
  const { rows } = await database.pool.query('select what from written')
  expect(rows).toEqual([{ what: 'later' }])
})

test('a transaction that throws is rolled back with the first error, and its connection is reused', async ({
  databaseUrl,
}) => {
  await using database = connect(databaseUrl, { poolSize: 1 })
  await database.pool.query('create table refused (n int check (n > 0))')
  const { rows: before } = await database.pool.query('select pg_backend_pid() as pid')
  const reason = new RangeError('a rule of the business')
  const refusing = database.db.transaction(async (tx) => {
    await tx.execute('insert into refused values (1)')
    throw reason
  })
  await expect(refusing).rejects.toBe(reason)
  const violating = database.db.transaction((tx) => tx.execute('insert into refused values (0)'))
  await expect(violating).rejects.toMatchObject({ cause: { code: '23514' } })
  const { rows: after } = await database.pool.query('select pg_backend_pid() as pid')
  expect(after).toEqual(before)
  expect((await database.pool.query('select n from refused')).rows).toEqual([])
})

test('a transaction is committed with its isolation level and savepoints', async ({
  databaseUrl,
}) => {
  await using database = connect(databaseUrl, { poolSize: 1 })
  await database.pool.query('create table kept (what text)')
  const level = await database.db.transaction(
    async (tx) => {
      await tx.execute(`insert into kept values ('outer')`)
      const inner = tx.transaction(async (nested) => {
        await nested.execute(`insert into kept values ('inner')`)
        throw new RangeError('only the inner one')
      })
      await expect(inner).rejects.toThrow('only the inner one')
      return tx.execute<{ transaction_isolation: string }>('show transaction_isolation')
    },
    { isolationLevel: 'serializable' },
  )
  expect(level.rows).toEqual([{ transaction_isolation: 'serializable' }])
  const { rows } = await database.pool.query('select what from kept')
  expect(rows).toEqual([{ what: 'outer' }])
})

test('close() waits for a query in progress', async ({ databaseUrl }) => {
  const database = connect(databaseUrl)
  const query = database.pool.query('select pg_sleep(0.2), 1 as answer')
  await until(() => database.pool.totalCount - database.pool.idleCount === 1)
  await database.close()
  expect((await query).rows).toMatchObject([{ answer: 1 }])
})

test('the server lists the connection with the name of the instance', async ({ databaseUrl }) => {
  await using database = connect(databaseUrl)
  const { rows } = await database.pool.query(`select current_setting('application_name') as name`)
  expect(rows).toEqual([{ name: 'test-1' }])
})
