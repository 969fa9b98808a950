import { describe, expect, test, until } from '@repo/testing'
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

/** Expects the call to fail as unavailable within 2 s, and says after how long it did. */
async function failsInTime(call: () => PromiseLike<unknown>): Promise<number> {
  const startedMs = performance.now()
  const error = await Promise.resolve(call()).then(
    () => expect.unreachable('it did not fail'),
    (reason: unknown) => reason,
  )
  const ms = performance.now() - startedMs
  expect(error).toSatisfy(isDatabaseUnavailable)
  expect(ms).toBeLessThan(2_000)
  return ms
}

describe('a PostgreSQL that hangs', () => {
  test('fails queries, waiting and new connections within 2 s, and heals by itself', async ({
    ownPostgres,
  }) => {
    await using database = connect(ownPostgres.url)
    await database.ping()
    await ownPostgres.pause()
    // 1 on the idle connection, 1 on a new one, 18 that wait for either.
    await Promise.all(Array.from({ length: 20 }, () => failsInTime(database.ping)))
    await failsInTime(database.ping)
    ownPostgres.resume()
    await until(() => database.ping().then(() => true))
    expect(database.pool.totalCount).toBeLessThanOrEqual(2)
  })

  // Drizzle gave the connection back with its transaction open: the next insert was answered,
  // became part of that transaction and was never committed.
  test.for([{ swallowed: false }, { swallowed: true }])(
    'leaves no transaction behind on a connection, and loses no later write: %o',
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

  test('costs a transaction one deadline, not another for its ROLLBACK', async ({
    ownPostgres,
  }) => {
    await using database = connect(ownPostgres.url, { poolSize: 1, deadlineMs: 1_000 })
    let pausedMs = 0
    const inTransaction = database.db.transaction(async (tx) => {
      await ownPostgres.pause()
      pausedMs = performance.now()
      await tx.execute('select 1')
    })
    await failsInTime(() => inTransaction)
    expect(performance.now() - pausedMs).toBeLessThan(2 * 1_000)
  })

  // Drizzle never gave back a connection whose BEGIN failed: a pool of n was dead after n of them.
  test('takes no connection away for ever when BEGIN is not answered', async ({ ownPostgres }) => {
    await using database = connect(ownPostgres.url, { poolSize: 1, deadlineMs: 600 })
    await database.ping()
    await ownPostgres.pause()
    await failsInTime(() => database.db.transaction(async () => 'never'))
    ownPostgres.resume()
    await until(() => database.ping().then(() => true))
    expect(await database.db.transaction(async () => 'done')).toBe('done')
    expect(database.pool.idleCount).toBe(1)
  })

  test('does not keep close() from resolving', async ({ ownPostgres }) => {
    const database = connect(ownPostgres.url, { deadlineMs: 600 })
    await database.ping()
    await ownPostgres.pause()
    const startedMs = performance.now()
    await database.close()
    expect(performance.now() - startedMs).toBeLessThan(1_500)
  })
})

describe('a PostgreSQL that is killed', () => {
  test('is unavailable within 2 s, also in a transaction, and in use again after its restart', async ({
    ownPostgres,
  }) => {
    await using database = connect(ownPostgres.url)
    await database.pool.query('create table written (what text)')
    const inTransaction = database.db.transaction(async (tx) => {
      await tx.execute(`insert into written values ('half')`)
      // Between two statements: the client's error event ended the process.
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
})

describe('a transaction', () => {
  test('that throws leaves nothing, tells the reason, and its connection is used again', async ({
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

  test('is committed, with its isolation level, and may have savepoints', async ({
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
})

test('close() waits for a query in progress', async ({ databaseUrl }) => {
  const database = connect(databaseUrl)
  const query = database.pool.query('select pg_sleep(0.2), 1 as answer')
  await until(() => database.pool.totalCount - database.pool.idleCount === 1)
  await database.close()
  expect((await query).rows).toMatchObject([{ answer: 1 }])
})

test('the server sees the instance by its name', async ({ databaseUrl }) => {
  await using database = connect(databaseUrl)
  const { rows } = await database.pool.query(`select current_setting('application_name') as name`)
  expect(rows).toEqual([{ name: 'test-1' }])
})
