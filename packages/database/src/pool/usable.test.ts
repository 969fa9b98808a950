import { expect, test, until } from '@repo/testing'
import { sql } from 'drizzle-orm'
import { Client } from 'pg'
import { isDatabaseUnavailable } from '../availability.ts'
import { connectDatabase, type DatabaseConnection } from '../connect.ts'

const APP = { user: 'app', password: 'of-the-app' }
/** Long enough for any machine. */
const deadlineMs = 20_000

function connect(url: string) {
  const database = connectDatabase({
    url,
    name: 'pool',
    poolSize: 4,
    minConnections: 4,
    deadlineMs,
  })
  return { ...database, [Symbol.asyncDispose]: database.close }
}

async function execute(url: string, ...statements: string[]) {
  const client = new Client(url)
  await client.connect()
  const results = []
  for (const statement of statements) results.push(await client.query(statement))
  await client.end()
  return results.at(-1)?.rows ?? []
}

/** Makes the server read-only, or writable again, also for open connections. */
async function setReadOnly(url: string, value: 'on' | 'off') {
  await execute(url, `alter system set default_transaction_read_only = ${value}`)
  await execute(url, 'select pg_reload_conf()')
  await until(async () => {
    const rows = await execute(url, 'show default_transaction_read_only')
    return rows[0].default_transaction_read_only === value
  })
}

const writes: Record<string, (database: DatabaseConnection) => PromiseLike<unknown>> = {
  'pool.query': ({ pool }) => pool.query('insert into written values (1)'),
  drizzle: ({ db }) => db.execute(sql`insert into written values (1)`),
  'a transaction': ({ db }) => db.transaction((tx) => tx.execute('insert into written values (1)')),
  'a nested transaction': ({ db }) =>
    db.transaction((tx) =>
      tx.transaction((inner) => inner.execute('insert into written values (1)')),
    ),
}

async function failureOf(call: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(call).then(
    () => undefined,
    (error: unknown) => error,
  )
}

test.for(Object.entries(writes))(
  'every connection is replaced after a read-only server refused a write by %s',
  async ([, write], { ownPostgres: { url } }) => {
    await execute(url, 'create table written (n int)')
    await using database = connect(url)
    await database.warm()
    const pids = `select pid from pg_stat_activity where application_name = 'pool'`
    const before = (await execute(url, pids)).map(({ pid }) => pid)
    expect(before).toHaveLength(4)
    await setReadOnly(url, 'on')
    const refused = await failureOf(write(database))
    expect(refused).toSatisfy(isDatabaseUnavailable)
    const used = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const { rows } = await database.pool.query('select pg_backend_pid() as pid, pg_sleep(0.1)')
        return rows[0].pid
      }),
    )
    expect(used.filter((pid) => before.includes(pid))).toEqual([])
    await setReadOnly(url, 'off')
    expect(await failureOf(write(database))).toBeUndefined()
  },
)

test.for(Object.entries(writes))(
  'after a failover one write by %s fails on the old server, and the new one executes the others',
  async ([, write], { ownPostgres, databaseUrl, tcpProxy }) => {
    const role = `create role ${APP.user} login password '${APP.password}'`
    const name = new URL(databaseUrl).pathname.slice(1)
    await execute(databaseUrl, `do $$ begin ${role}; exception when duplicate_object then end $$`)
    await execute(ownPostgres.url, role, `create database ${name}`)
    const oldUrl = Object.assign(new URL(ownPostgres.url), { pathname: name }).href
    for (const url of [oldUrl, databaseUrl]) {
      await execute(url, 'drop table if exists written', 'create table written (n int)')
      await execute(url, `grant all on written to ${APP.user}`)
    }
    const proxy = await tcpProxy({ target: oldUrl })
    const address = new URL(proxy.url)
    address.username = APP.user
    address.password = APP.password
    await using database = connect(address.href)
    await database.warm()
    await setReadOnly(oldUrl, 'on')
    proxy.retarget(databaseUrl)
    expect(await failureOf(write(database))).toSatisfy(isDatabaseUnavailable)
    const others = Array.from({ length: 12 }, () => failureOf(write(database)))
    expect(await Promise.all(others)).toEqual(others.map(() => undefined))
    expect(await execute(databaseUrl, 'select count(*)::int as n from written')).toEqual([
      { n: 12 },
    ])
  },
)

test('a statement that the server no longer has is prepared again, also in a transaction', async ({
  databaseUrl,
}) => {
  await using database = connect(databaseUrl)
  const statement = { name: 'one', text: 'select 1 as n' }
  await database.pool.query(statement)
  await database.pool.query('deallocate all')
  expect(await failureOf(database.pool.query(statement))).toMatchObject({ code: '26000' })
  expect((await database.pool.query(statement)).rows).toEqual([{ n: 1 }])
  const inTransaction = database.db.transaction(async (tx) => {
    const prepared = tx
      .select({ n: sql`1` })
      .from(sql`(values (1)) as one`)
      .prepare('two')
    await prepared.execute()
    await tx.execute('deallocate all')
    await prepared.execute()
  })
  expect(await failureOf(inTransaction)).toSatisfy(isDatabaseUnavailable)
  expect(database.pool.idleCount).toBe(0)
})
