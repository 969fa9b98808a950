import { expect, freePort, test } from '@repo/testing'
import { sql } from 'drizzle-orm'
import { isDatabaseUnavailable } from './availability.ts'
import { connectDatabase } from './connect.ts'

function connect(url: string) {
  const database = connectDatabase({ url, name: 'test', poolSize: 1, deadlineMs: 1_000 })
  return { ...database, [Symbol.asyncDispose]: database.close }
}

/** Returns the error of the call. */
async function failureOf(call: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(call).then(
    () => expect.unreachable('it did not fail'),
    (error: unknown) => error,
  )
}

function raise(code: string): string {
  return `do $$ begin raise exception using errcode = '${code}', message = 'raised'; end $$`
}

test.for([
  ['a unique violation', 'insert into twice values (1)', '23505'],
  ['a syntax error', 'selec 1', '42601'],
  ['a missing table', 'select * from nowhere', '42P01'],
  ['a division by zero', 'select 1 / 0', '22012'],
  ['a value of the wrong type', `select 'x'::int`, '22P02'],
  ['an exception of PL/pgSQL', `do $$ begin raise 'no'; end $$`, 'P0001'],
  ['a recursion without an end', 'select deep(1)', '54001'],
  ['a refusal of a trigger of this project', raise('TF002'), 'TF002'],
] as const)('a defect is no outage: %s', async ([, statement, code], { databaseUrl }) => {
  await using database = connect(databaseUrl)
  await database.pool.query('create table if not exists twice (n int unique)')
  await database.pool.query('insert into twice values (1) on conflict do nothing')
  await database.pool.query(`create or replace function deep(n int) returns int language plpgsql
    as $$ begin return deep(n + 1); end $$`)
  const plain = await failureOf(database.pool.query(statement))
  expect(plain).toMatchObject({ code })
  expect(isDatabaseUnavailable(plain)).toBe(false)
  const wrapped = await failureOf(database.db.execute(sql.raw(statement)))
  expect(wrapped).toMatchObject({ cause: { code } })
  expect(isDatabaseUnavailable(wrapped)).toBe(false)
})

test.for(['0A000', '21000', '23503', '2F005', '42703', '42883', '44000', 'TF001', 'TF009'])(
  'an error with the SQLSTATE %s is no outage',
  async (code, { databaseUrl }) => {
    await using database = connect(databaseUrl)
    const error = await failureOf(database.db.execute(sql.raw(raise(code))))
    expect(error).toMatchObject({ cause: { code } })
    expect(isDatabaseUnavailable(error)).toBe(false)
  },
)

test('an error of this process is no outage, also inside a transaction', async ({
  databaseUrl,
}) => {
  await using database = connect(databaseUrl)
  const circular: { self?: unknown } = {}
  circular.self = circular
  const unsent = await failureOf(database.pool.query('select $1::jsonb', [circular]))
  expect(isDatabaseUnavailable(unsent)).toBe(false)
  const thrown = await failureOf(
    database.db.transaction(async () => {
      throw new TypeError('x is not a function')
    }),
  )
  expect(isDatabaseUnavailable(thrown)).toBe(false)
  expect(isDatabaseUnavailable(new Error('timeout must be a number'))).toBe(false)
  expect(isDatabaseUnavailable('Query read timeout')).toBe(false)
})

const codes = [
  ...['08000', '08006', '08P01', '25006', '25P03', '25P04', '26000', '28000', '28P01', '34000'],
  ...['3D000', '40001', '40P01', '42501', '42P05', '53000', '53100', '53200', '53300', '53400'],
  ...['54000', '55000', '55006', '55P03', '57014', '57P01', '57P02', '57P03', '57P04', '57P05'],
  ...['58000', '58030', '72000', 'F0001', 'HV000', 'XX000', 'XX001', 'XX002', 'ZZ999'],
]
test.for(codes)('an error with the SQLSTATE %s is an outage', async (code, { databaseUrl }) => {
  await using database = connect(databaseUrl)
  const plain = await failureOf(database.pool.query(raise(code)))
  expect(plain).toMatchObject({ code })
  expect(isDatabaseUnavailable(plain)).toBe(true)
  const inTransaction = database.db.transaction((tx) => tx.execute(sql.raw(raise(code))))
  expect(await failureOf(inTransaction)).toSatisfy(isDatabaseUnavailable)
  expect((await database.pool.query('select 1 as n')).rows).toEqual([{ n: 1 }])
})

test('a statement that a migration outdated is an outage', async ({ databaseUrl }) => {
  await using database = connect(databaseUrl)
  await database.pool.query('create table grown (a int)')
  const statement = { name: 'all', text: 'select * from grown' }
  await database.pool.query(statement)
  await database.pool.query('alter table grown add column b int')
  const error = await failureOf(database.pool.query(statement))
  expect(error).toMatchObject({ code: '0A000' })
  expect(isDatabaseUnavailable(error)).toBe(true)
  expect((await database.pool.query(statement)).rows).toEqual([])
})

test('a refused connection is an outage, also inside an error of drizzle', async () => {
  await using database = connect(`postgres://localhost:${await freePort()}/none`)
  expect(isDatabaseUnavailable(await failureOf(database.ping()))).toBe(true)
  const wrapped = await failureOf(database.db.execute(sql`select 1`))
  expect(wrapped).toMatchObject({ message: expect.stringContaining('Failed query') })
  expect(isDatabaseUnavailable(wrapped)).toBe(true)
})

test('a host without an address is an outage', async () => {
  await using database = connect('postgres://nowhere.invalid/none')
  const error = await failureOf(database.ping())
  expect(error).toMatchObject({ code: 'no-connection', cause: { code: 'ENOTFOUND' } })
  expect(isDatabaseUnavailable(error)).toBe(true)
})

test.for([
  ['a wrong password', { password: 'wrong' }, '28P01'],
  ['a role that does not exist', { username: 'nobody' }, '28P01'],
  ['a database that does not exist', { pathname: 'nowhere' }, '3D000'],
] as const)('%s is an outage at once', async ([, change, code], { databaseUrl }) => {
  const url = Object.assign(new URL(databaseUrl), change)
  await using database = connect(url.href)
  const error = await failureOf(database.ping())
  expect(error).toMatchObject({ code })
  expect(isDatabaseUnavailable(error)).toBe(true)
})

test('a server without the required TLS is an outage', async ({ databaseUrl }) => {
  await using database = connect(`${databaseUrl}?sslmode=verify-full`)
  const error = await failureOf(database.ping())
  expect(error).toMatchObject({ cause: { message: expect.stringContaining('SSL') } })
  expect(isDatabaseUnavailable(error)).toBe(true)
})

test('a server with another protocol is an outage', async ({ redisUrl }) => {
  const { port } = new URL(redisUrl)
  await using database = connect(`postgres://user:password@127.0.0.1:${port}/none`)
  expect(isDatabaseUnavailable(await failureOf(database.ping()))).toBe(true)
})

test('a session that an operator ends is an outage', async ({ databaseUrl }) => {
  await using database = connect(databaseUrl)
  const ended = await failureOf(
    database.pool.query('select pg_terminate_backend(pg_backend_pid())'),
  )
  expect(isDatabaseUnavailable(ended)).toBe(true)
})

test('a closed pool is an outage', async ({ databaseUrl }) => {
  const database = connect(databaseUrl)
  await database.close()
  expect(isDatabaseUnavailable(await failureOf(database.ping()))).toBe(true)
})
