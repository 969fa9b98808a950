import { describe, expect, freePort, test } from '@repo/testing'
import { sql } from 'drizzle-orm'
import { isDatabaseUnavailable } from './availability.ts'
import { connectDatabase } from './connect.ts'

function connect(url: string) {
  const database = connectDatabase({ url, name: 'test', poolSize: 1 })
  return { ...database, [Symbol.asyncDispose]: database.close }
}

/** What the call throws. */
async function failureOf(call: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(call).then(
    () => expect.unreachable('it did not fail'),
    (error: unknown) => error,
  )
}

describe('a statement that PostgreSQL refused is not "unavailable"', () => {
  test.for([
    ['a unique violation', 'insert into twice values (1)', '23505'],
    ['a syntax error', 'selec 1', '42601'],
    ['a missing table', 'select * from nowhere', '42P01'],
    ['a deadlock or serialization failure', `do $$ begin raise sqlstate '40001'; end $$`, '40001'],
  ] as const)('%s', async ([, statement, code], { databaseUrl }) => {
    await using database = connect(databaseUrl)
    await database.pool.query('create table if not exists twice (n int unique)')
    await database.pool.query('insert into twice values (1) on conflict do nothing')
    const plain = await failureOf(database.pool.query(statement))
    expect(plain).toMatchObject({ code })
    expect(isDatabaseUnavailable(plain)).toBe(false)
    const wrapped = await failureOf(database.db.execute(sql.raw(statement)))
    expect(wrapped).toMatchObject({ cause: { code } })
    expect(isDatabaseUnavailable(wrapped)).toBe(false)
  })

  test.for(['a wrong password', 'a database that does not exist'])(
    '%s',
    async (what, { databaseUrl }) => {
      const url = new URL(databaseUrl)
      if (what === 'a wrong password') url.password = 'wrong'
      else url.pathname = 'nowhere'
      await using database = connect(url.href)
      expect(isDatabaseUnavailable(await failureOf(database.ping()))).toBe(false)
    },
  )
})

describe('a database that is away is "unavailable"', () => {
  test('when it refuses connections, also inside what drizzle throws', async () => {
    await using database = connect(`postgres://localhost:${await freePort()}/none`)
    expect(isDatabaseUnavailable(await failureOf(database.ping()))).toBe(true)
    const wrapped = await failureOf(database.db.execute(sql`select 1`))
    expect(wrapped).toMatchObject({ message: expect.stringContaining('Failed query') })
    expect(isDatabaseUnavailable(wrapped)).toBe(true)
  })

  test('when the host has no address', async () => {
    await using database = connect('postgres://nowhere.invalid/none')
    expect(isDatabaseUnavailable(await failureOf(database.ping()))).toBe(true)
  })

  test.for(['57P01', '57P03', '53300', '08006', '57014'])(
    'when it answers %s',
    async (code, { databaseUrl }) => {
      await using database = connect(databaseUrl)
      const raise = sql.raw(`do $$ begin raise sqlstate '${code}'; end $$`)
      expect(isDatabaseUnavailable(await failureOf(database.db.execute(raise)))).toBe(true)
    },
  )

  test('when an operator ends the session', async ({ databaseUrl }) => {
    await using database = connect(databaseUrl)
    const ended = await failureOf(
      database.pool.query('select pg_terminate_backend(pg_backend_pid())'),
    )
    expect(isDatabaseUnavailable(ended)).toBe(true)
  })

  test('when its pool was closed', async ({ databaseUrl }) => {
    const database = connect(databaseUrl)
    await database.close()
    expect(isDatabaseUnavailable(await failureOf(database.ping()))).toBe(true)
  })
})

test("another part's error that speaks of a timeout is none of the database's", () => {
  expect(isDatabaseUnavailable(new Error('timeout must be a number'))).toBe(false)
  expect(isDatabaseUnavailable('Query read timeout')).toBe(false)
})
