import { hash, randomUUID } from 'node:crypto'
import { connectDatabase, type DatabaseConnection } from '@repo/database'
import type { Contender } from '@repo/testing/bench'
import { integer, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import type { Transaction } from '../src/index.ts'
import { createKeys, REQUEST_BODY, RESPONSE_TEXT, SCOPE } from './requests.ts'

/** The row of the business transaction, and the claim of the peers' shape. */
export const TABLES = `
  create table bench_payment (
    id text primary key,
    account text not null,
    amount integer not null,
    created_at timestamptz not null default now()
  );
  create table bench_claim (
    scope text not null,
    key text not null,
    fingerprint text not null,
    locked_until timestamptz not null,
    status smallint,
    headers jsonb,
    body bytea,
    primary key (scope, key)
  )`

const payment = pgTable('bench_payment', {
  id: text('id').primaryKey(),
  account: text('account').notNull(),
  amount: integer('amount').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
})

const POOL_SIZE = 20
const LEASE_SECONDS = 15
const HEADERS = { 'content-type': 'application/json' }
const BODY = Buffer.from(JSON.stringify(REQUEST_BODY))

export function connectBenchDatabase(): DatabaseConnection {
  const url = process.env['DATABASE_URL'] ?? ''
  return connectDatabase({ url, name: 'bench', poolSize: POOL_SIZE, deadlineMs: 20_000 })
}

/** The work of each contender: one row. */
export async function pay(tx: Transaction): Promise<void> {
  const { account, amount } = REQUEST_BODY
  await tx.insert(payment).values({ id: randomUUID(), account, amount })
}

/** The business transaction alone. */
export function openBare(): Contender {
  const { db, close } = connectBenchDatabase()
  return { run: () => db.transaction(pay), close }
}

/**
 * The shape of the libraries that have a table of claims: claim, run and complete are three commits.
 * A process that ends between the second and the third one executes the request again.
 */
export function openThreeCommits(): Contender {
  const { db, pool, close } = connectBenchDatabase()
  const keyOf = createKeys()
  async function run(i: number): Promise<void> {
    const key = keyOf(i)
    const { rowCount } = await pool.query(
      `insert into bench_claim (scope, key, fingerprint, locked_until)
       values ($1, $2, $3, now() + make_interval(secs => $4)) on conflict do nothing`,
      [SCOPE, key, hash('sha256', BODY, 'base64url'), LEASE_SECONDS],
    )
    if (rowCount !== 1) throw new Error('A new key has a claim')
    await db.transaction(pay)
    await pool.query(
      `update bench_claim set status = $3, headers = $4, body = $5 where scope = $1 and key = $2`,
      [SCOPE, key, 201, HEADERS, Buffer.from(RESPONSE_TEXT)],
    )
  }
  return { run, close }
}
