import { expect, makeReadOnly, until } from '@repo/testing'
import { test } from './cluster.fixture.ts'
import { makeUser, signIn } from './open.fixture.ts'

test('three processes with a read-only database run through many flushes, count failures, accept sessions and recover', async ({
  openCluster,
  databaseUrl,
}) => {
  const { three, database } = await openCluster({ touchMs: 20, relayMs: 20 })
  const { id, cookie } = await signIn(database, await makeUser(database))
  await database.pool.query(`update session set last_seen_at = now() - interval '2 min'`)
  // An empty outbox is only read. This release leaves this row to a later one for 10 s.
  await database.pool.query(
    `insert into cache_outbox (bus, message) values ('platform', '{"kind":"later"}')`,
  )
  const readOnly = await makeReadOnly(databaseUrl)
  await Promise.all(
    three.map(async (replica) => {
      // Each check notes that the session was seen, which is due to be written.
      await until(async () => (await replica.call<string[]>('validate', [cookie]))[0] === 'valid')
      await until(async () => {
        const failures = await replica.call<Record<string, number>>('failures')
        return Number(failures['session.touch']) > 1 && Number(failures['outbox.relay']) > 1
      })
      expect(await replica.call('validate', [cookie])).toEqual(['valid'])
    }),
  )

  await readOnly[Symbol.asyncDispose]()
  await until(async () => {
    const { rowCount } = await database.pool.query(
      `select 1 from session where id = $1 and last_seen_at > now() - interval '1 min'`,
      [id],
    )
    return rowCount === 1
  })
})
