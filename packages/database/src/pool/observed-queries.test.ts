import { expect, test } from '@repo/testing'
import { eq, sql } from 'drizzle-orm'
import { connectDatabase } from '../connect.ts'
import { migrateDatabase } from '../migrate/migrate.ts'
import { payment } from '../schema/payments.ts'
import { statementOf } from './observed-queries.ts'

/** Connects with one connection, and records the observed statements and their ends. */
function connect(url: string, poolSize = 1) {
  const events: string[] = []
  const database = connectDatabase({
    ...{ url, name: 'test-1', poolSize },
    observeQuery(readStatement) {
      const statement = readStatement()
      events.push(`begin ${statement}`)
      return (error) =>
        events.push(`end ${statement}${error instanceof Error ? ' with an error' : ''}`)
    },
  })
  return { ...database, events, [Symbol.asyncDispose]: database.close }
}

test('each query of Drizzle, of the pool and of a transaction is observed once, also when it fails', async ({
  databaseUrl,
}) => {
  await migrateDatabase({ url: databaseUrl })
  await using database = connect(databaseUrl)
  const { db, pool, events } = database
  const find = db
    .select()
    .from(payment)
    .where(eq(payment.id, sql.placeholder('id')))
  const id = '01890a5d-ac96-774b-bcce-b302099a8057'
  await find.prepare('find-payment').execute({ id })
  await db.select().from(payment).where(eq(payment.id, id))
  await pool.query('select missing').catch(() => undefined)
  await db.transaction(async (tx) => tx.delete(payment))
  const statements = ['find-payment', 'select payment', 'select', 'begin', 'delete payment']
  expect(events).toEqual(
    [...statements, 'commit'].flatMap((each) => [
      `begin ${each}`,
      `end ${each}${each === 'select' ? ' with an error' : ''}`,
    ]),
  )
})

test('a query is observed from its call, before it has a connection', async ({ databaseUrl }) => {
  await using database = connect(databaseUrl)
  const { pool, events } = database
  const held = await pool.connect()
  const waiting = pool.query('select 1')
  expect(events).toEqual(['begin select'])
  held.release()
  await waiting
  expect(events).toEqual(['begin select', 'end select'])
})

test.for([
  ['select "id" from "payments" where "id" = $1', 'select payments'],
  ['insert into "session" ("id") values ($1)', 'insert session'],
  ['  UPDATE public."user" set "name" = $1', 'update user'],
  ['delete from "account" where "id" = \'from secret\'', 'delete account'],
  ["select 'S3CRET'", 'select'],
  ["copy secret from '/etc/passwd'", 'other'],
  [{ text: 'begin' }, 'begin'],
  [{ name: 'find', text: 'select 1' }, 'find'],
  ['', 'other'],
  [undefined, 'other'],
  [{ text: 5 }, 'other'],
] as const)('the statement %o is observed as "%s"', ([config, statement]) => {
  expect(statementOf(config)).toBe(statement)
})
