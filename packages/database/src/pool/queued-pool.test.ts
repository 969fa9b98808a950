import { blockEventLoop, expect, test, until } from '@repo/testing'
import type { Pool } from 'pg'
import { isDatabaseUnavailable } from '../availability.ts'
import { connectDatabase, type DatabaseOptions } from '../connect.ts'

/** Long enough for any machine. */
const PATIENT_MS = 30_000

function connect(url: string, options: Partial<DatabaseOptions> = {}) {
  const defaults = { name: 'test-1', poolSize: 2, deadlineMs: PATIENT_MS }
  const database = connectDatabase({ url, ...defaults, ...options })
  return { ...database, [Symbol.asyncDispose]: database.close }
}

async function postmasterOf(url: string): Promise<number> {
  await using database = connect(url, { poolSize: 1 })
  const { rows } = await database.pool.query<{ file: string }>(
    `select pg_read_file('postmaster.pid') as file`,
  )
  return Number(rows[0]?.file.split('\n')[0])
}

/** Returns the error of the call. */
async function failureOf(call: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(call).then(
    () => expect.unreachable('it did not fail'),
    (error: unknown) => error,
  )
}

/** Sends one query after the other until the call has ended. */
async function queryDuring(call: Promise<unknown>, { pool }: { pool: Pool }): Promise<void> {
  const ended = new AbortController()
  const end = () => ended.abort()
  void call.then(end, end)
  while (!ended.signal.aborted) await pool.query('select pg_sleep(0.02)').catch(() => undefined)
}

test('a call whose attempt to connect fails is served by the next attempt', async ({
  databaseUrl,
  tcpProxy,
}) => {
  const proxy = await tcpProxy({ target: databaseUrl })
  await using database = connect(proxy.url)
  await proxy.cut()
  const calls = Array.from({ length: 10 }, () => database.pool.query('select 1 as n'))
  await until(() => database.pool.waitingCount === 10)
  await proxy.heal()
  const results = await Promise.all(calls)
  expect(results.map(({ rows }) => rows)).toEqual(Array.from({ length: 10 }, () => [{ n: 1 }]))
})

test('a call is served after its attempt to connect was cut within the handshake', async ({
  databaseUrl,
  tcpProxy,
}) => {
  const proxy = await tcpProxy({ target: databaseUrl })
  await using database = connect(proxy.url)
  proxy.halfOpen()
  const call = database.pool.query('select 1 as n')
  await until(() => proxy.connections() > 0)
  await proxy.heal()
  expect((await call).rows).toEqual([{ n: 1 }])
})

test('a call without a connection within its deadline fails with the reason', async ({
  databaseUrl,
  tcpProxy,
}) => {
  const proxy = await tcpProxy({ target: databaseUrl })
  await using database = connect(proxy.url, { deadlineMs: 500 })
  await proxy.cut()
  const failing = database.ping()
  await expect(failing).rejects.toMatchObject({
    code: 'no-connection',
    message: expect.stringContaining('500 ms (DATABASE_TIMEOUT_MS): connect ECONNREFUSED'),
  })
})

// An attempt was cut after a quarter of the deadline of a call, and the call failed.
test('a connection can take longer to open than the deadline of a call that another connection serves', async ({
  ownPostgres,
}) => {
  const postmaster = await postmasterOf(ownPostgres.url)
  await using database = connect(ownPostgres.url)
  const first = await database.pool.connect()
  // The server replies on open connections and accepts no new ones.
  process.kill(postmaster, 'SIGSTOP')
  const second = database.pool.query('select pg_backend_pid() as pid')
  await until(() => database.pool.totalCount === 2)
  const { rows } = await first.query('select pg_backend_pid() as pid')
  first.release()
  expect((await second).rows).toEqual(rows)
  process.kill(postmaster, 'SIGCONT')
  await until(() => database.pool.idleCount === 2)
})

test('opening a connection continues after its call missed the deadline, and serves the next call', async ({
  databaseUrl,
  tcpProxy,
}) => {
  const proxy = await tcpProxy({ target: databaseUrl })
  await using database = connect(proxy.url, { deadlineMs: 200, connectTimeoutMs: PATIENT_MS })
  proxy.delay(150)
  await expect(database.ping()).rejects.toMatchObject({ code: 'no-connection' })
  await until(() => database.pool.idleCount === 1)
  proxy.delay(0)
  await until(() => database.ping().then(() => true))
  expect(database.pool.totalCount).toBe(1)
})

test('all 200 calls of a burst on a new pool over a slow network succeed', async ({
  databaseUrl,
  tcpProxy,
}) => {
  const proxy = await tcpProxy({ target: databaseUrl })
  await using database = connect(proxy.url, { poolSize: 6 })
  proxy.delay(20)
  const calls = Array.from({ length: 200 }, (_, n) =>
    database.pool.query('select $1::int as n', [n]),
  )
  const results = await Promise.all(calls)
  expect(results.map(({ rows }) => rows[0].n)).toEqual(results.map((_, n) => n))
  expect(database.pool.totalCount).toBeLessThanOrEqual(6)
})

test('a slow call waits up to the busy deadline while the server replies to other calls', async ({
  databaseUrl,
}) => {
  const deadlines = { deadlineMs: 400, busyDeadlineMs: PATIENT_MS }
  await using database = connect(databaseUrl, deadlines)
  const slow = database.pool.query('select pg_sleep(1.5), 1 as n')
  await queryDuring(slow, database)
  expect((await slow).rows).toMatchObject([{ n: 1 }])
})

test('a slow call fails after the busy deadline although the server replies to other calls', async ({
  databaseUrl,
}) => {
  await using database = connect(databaseUrl, { deadlineMs: 100, busyDeadlineMs: 600 })
  const slow = failureOf(database.pool.query('select pg_sleep(30)'))
  await queryDuring(slow, database)
  const failure = await slow
  expect(failure).toMatchObject({ code: 'no-answer', message: expect.stringContaining('600 ms') })
  expect(failure).toSatisfy(isDatabaseUnavailable)
})

test('a slow call succeeds although its deadline passed while this process was paused', async ({
  databaseUrl,
}) => {
  await using database = connect(databaseUrl, { deadlineMs: 1_000 })
  await until(() => database.ping().then(() => true))
  const call = database.pool.query('select 1 as n')
  await new Promise(setImmediate)
  blockEventLoop(2_000)
  expect((await call).rows).toEqual([{ n: 1 }])
})

test('lost connections are replaced before a call needs them', async ({ databaseUrl }) => {
  await using database = connect(databaseUrl, { poolSize: 5, minConnections: 3, name: 'kept' })
  await database.warm()
  expect(database.pool.idleCount).toBe(3)
  await using other = connect(databaseUrl, { poolSize: 1 })
  const pids = `select pid from pg_stat_activity where application_name = 'kept'`
  const { rows: before } = await other.pool.query(pids)
  expect(before).toHaveLength(3)
  await other.pool.query(`select pg_terminate_backend(pid) from (${pids}) as lost`)
  await until(() => database.pool.totalCount < 3)
  await until(() => database.pool.idleCount === 3)
  const { rows: after } = await other.pool.query(pids)
  expect(after.filter(({ pid }) => before.some((lost) => lost.pid === pid))).toEqual([])
})
