import { connectDatabase, migrateDatabase } from '@repo/database'
import { sql } from 'drizzle-orm'
import type { OpenedStore } from '../conformance/open.ts'
import type { IdempotencyStore, Transaction } from '../store.ts'

/** Migrates the database, and creates the table of the business. */
export async function prepare(url: string): Promise<void> {
  await migrateDatabase({ url })
  const { db, close } = connectDatabase({ url, name: 'prepare', poolSize: 1 })
  await db.execute('create table if not exists effect (name text not null, writer text)')
  await close()
}

/** Connects with deadlines that a busy machine meets. */
export function connect(url: string, name: string) {
  return connectDatabase({
    url,
    name,
    poolSize: 12,
    connectTimeoutMs: 20_000,
    deadlineMs: 20_000,
    busyDeadlineMs: 60_000,
  })
}

export type Connected = ReturnType<typeof connect>

/** Writes a row of the business, as the work of a request does. */
export async function writeEffect(tx: Transaction, effect: string, writer = ''): Promise<void> {
  await tx.execute(sql`insert into effect (name, writer) values (${effect}, ${writer})`)
}

/** The number of committed rows of the requests. */
export async function countEffects(
  { pool }: Connected,
  ...effects: readonly string[]
): Promise<number> {
  const text = 'select count(*)::integer as count from effect where name = any($1)'
  const { rows } = await pool.query<{ count: number }>(text, [effects])
  return rows[0]?.count ?? 0
}

/** Opens the stores of two instances on one database. */
export async function openOnPostgres(
  url: string,
  create: (connected: Connected) => IdempotencyStore,
): Promise<OpenedStore> {
  const connections = [connect(url, 'test-1'), connect(url, 'test-2')] as const
  const [first, second] = connections
  return {
    store: create(first),
    beside: create(second),
    writeEffect,
    countEffects: (effect) => countEffects(first, effect),
    close: () => Promise.all(connections.map(({ close }) => close())),
  }
}
