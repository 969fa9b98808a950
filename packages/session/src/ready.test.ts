import { connectDatabase, migrateDatabase } from '@repo/database'
import { expect, test } from '@repo/testing'
import { SECRET } from './open.fixture.ts'
import { createSessions } from './sessions.ts'

test('when sessions are ready, each open connection has prepared the statements of a check', async ({
  databaseUrl,
}) => {
  await migrateDatabase({ url: databaseUrl })
  const pool = { poolSize: 3, minConnections: 3 }
  const database = connectDatabase({ url: databaseUrl, name: 'test', ...pool })
  const sessions = createSessions({ database, secret: SECRET })
  await sessions.ready()
  const clients = await Promise.all([1, 2, 3].map(() => database.pool.connect()))
  const prepared = await Promise.all(
    clients.map(async (client) => {
      const { rows } = await client.query('select name from pg_prepared_statements order by name')
      client.release()
      return rows.map(({ name }) => name)
    }),
  )
  const statements = ['session-by-token', 'session-tombstone']
  expect(prepared).toEqual([statements, statements, statements])
  await sessions.close()
  await database.close()
})
