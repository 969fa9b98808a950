import { contend, expect, test } from '@repo/testing'
import { sql } from 'drizzle-orm'
import { Client } from 'pg'
import { connectDatabase } from '../connect.ts'
import { poolSize } from './pool-size.ts'

const INSTANCES = 9
const QUERIES = 100
const GRANT = 40

/** Counts the connections of the instances on the server repeatedly until `done`. */
async function countConnections(url: string, done: AbortSignal): Promise<number[]> {
  const client = new Client(url)
  await client.connect()
  const counts: number[] = []
  while (!done.aborted) {
    const { rows } = await client.query<{ n: number }>(
      `select count(*)::int as n from pg_stat_activity
       where datname = current_database() and application_name like 'instance-%'`,
    )
    counts.push(rows[0]?.n ?? 0)
  }
  await client.end()
  return counts
}

async function load(url: string, size: number) {
  const done = new AbortController()
  const counting = countConnections(url, done.signal)
  const instances = Array.from({ length: INSTANCES }, (_, index) =>
    connectDatabase({ url, name: `instance-${index}`, poolSize: size, deadlineMs: 20_000 }),
  )
  // Every third query fails, so its connection is replaced.
  const ends = await contend(INSTANCES * QUERIES, (call) =>
    instances[call % INSTANCES]!.db.execute(
      call % 3 === 0 ? sql`select 1 / 0` : sql`select pg_sleep(0.005)`,
    ),
  )
  done.abort()
  const counts = await counting
  await Promise.all(instances.map((instance) => instance.close()))
  return { answered: ends.filter(({ status }) => status === 'fulfilled').length, counts }
}

test(`${INSTANCES} instances with ${QUERIES} concurrent queries each, a third of them failing, never exceed ${GRANT} granted connections`, async ({
  databaseUrl,
}) => {
  const size = poolSize({ connections: GRANT, instances: INSTANCES })
  const { answered, counts } = await load(databaseUrl, size)
  expect(answered).toBe(INSTANCES * QUERIES * (2 / 3))
  expect(counts.length).toBeGreaterThan(20)
  expect(Math.max(...counts)).toBeLessThanOrEqual(GRANT)
  expect(Math.max(...counts)).toBeGreaterThanOrEqual(INSTANCES)
})

test('the count of connections detects pools with the default of ten connections', async ({
  databaseUrl,
}) => {
  const { counts } = await load(databaseUrl, 10)
  expect(Math.max(...counts)).toBeGreaterThan(GRANT)
})
