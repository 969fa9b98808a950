import { connectDatabase, migrateDatabase } from '@repo/database'
import { expect, test as base } from '@repo/testing'
import { findChanges, SESSION_SQL } from './session-sql.ts'

/** `test` on a migrated database, in a transaction that is rolled back. */
const test = base.extend('transaction', async ({ databaseUrl }, { onCleanup }) => {
  await migrateDatabase({ url: databaseUrl })
  const database = connectDatabase({ url: databaseUrl, name: 'sql', poolSize: 1 })
  const client = await database.pool.connect()
  await client.query('begin')
  onCleanup(async () => {
    client.release(true)
    await database.close()
  })
  return client
})

/** The statement with another definition of its function or its trigger. */
function change(statement: string): string {
  return statement
    .replace(/ LANGUAGE (plpgsql|sql STABLE)/u, '$& COST 7')
    .replace('WHEN (', "WHEN (current_date > '2000-01-01' AND ")
    .replace('OLD TABLE AS ended', 'OLD TABLE AS finished')
    .replace(/FOR EACH ROW (?=EXECUTE)/u, "FOR EACH ROW WHEN (current_date > '2000-01-01') ")
}

test('a migrated database has the functions and triggers of sessions that this package defines (S6)', async ({
  transaction,
}) => {
  expect(SESSION_SQL).toHaveLength(33)
  expect(await findChanges(transaction)).toEqual([])
})

test('a change of any statement of the SQL of sessions is found, and its migration is that statement', async ({
  transaction,
}) => {
  for (const [index, statement] of SESSION_SQL.entries()) {
    const wanted = SESSION_SQL.with(index, change(statement))
    const changes = await findChanges(transaction, wanted)
    expect(changes).toEqual([wanted[index]])
    await transaction.query(changes.join('\n'))
    expect(await findChanges(transaction, wanted)).toEqual([])
    await transaction.query(statement)
  }
})

test('a trigger that the SQL of sessions no longer creates is dropped by the migration', async ({
  transaction,
}) => {
  const wanted = SESSION_SQL.filter((statement) => !statement.includes('TRIGGER session_ended '))
  expect(wanted).toHaveLength(SESSION_SQL.length - 1)
  expect(await findChanges(transaction, wanted)).toEqual(['drop trigger session_ended on session;'])
  await transaction.query('drop trigger session_ended on session')
  expect(await findChanges(transaction, wanted)).toEqual([])
})
