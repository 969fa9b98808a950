import { fileURLToPath } from 'node:url'
import {
  afterAll,
  beforeAll,
  createDatabase,
  endReplicas,
  expect,
  type Replica,
  startReplicas,
  test,
} from '@repo/testing'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { Client } from 'pg'
import { migrateDatabase, type Migration } from './migrate.ts'
import { writeMigrations } from './migrations.fixture.ts'

const PROCESSES = 5
const ROUNDS = Number(process.env.RACE_ROUNDS ?? 10)
const program = new URL('migrate.fixture.ts', import.meta.url)
const OURS = fileURLToPath(new URL('../../migrations', import.meta.url))

type Method = 'migrate' | 'migrateWithoutLock'

/** Migrates an empty database with all processes at once. Returns their results and the history. */
async function race(serverUrl: string, processes: Replica[], method: Method, folder: string) {
  const database = await createDatabase(serverUrl)
  const order = { url: database.url, folder }
  try {
    const ends = await Promise.allSettled(
      processes.map((each) => each.call<Migration>(method, order)),
    )
    const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []))
    const applied = ends.map((end) => (end.status === 'fulfilled' ? end.value.applied : 0))
    return { failures, applied, recorded: await recorded(database.url) }
  } finally {
    await database.drop()
  }
}

async function recorded(url: string): Promise<number[]> {
  const client = new Client(url)
  await client.connect()
  const { rows } = await client.query<{ created_at: string }>(
    'select created_at from drizzle.__drizzle_migrations order by id',
  )
  await client.end()
  return rows.map(({ created_at }) => Number(created_at))
}

/** Expects each migration exactly once, in order, and no failed process. */
function isExactlyOnce(
  { failures, recorded: times }: Awaited<ReturnType<typeof race>>,
  wanted: number[],
) {
  return failures.length === 0 && times.join() === wanted.join()
}

const wanted = readMigrationFiles({ migrationsFolder: OURS }).map((each) => each.folderMillis)
let processes: Replica[] = []

beforeAll(async () => {
  processes = await startReplicas(PROCESSES, { program })
})

afterAll(() => endReplicas(processes))

test(
  `${PROCESSES} processes at once on an empty database apply each migration exactly once and none fails, in each of ${ROUNDS} rounds`,
  {
    timeout: 30_000 + 1_000 * ROUNDS,
  },
  async ({ databaseUrl }) => {
    await using three = await writeMigrations([
      { when: 1, sql: 'create table first (n int)' },
      { when: 2, sql: 'alter table first rename to second' },
      { when: 3, sql: 'insert into second values (3)' },
    ])
    const folders = [
      { folder: OURS, times: wanted },
      { folder: three.folder, times: [1, 2, 3] },
    ]
    for (let round = 0; round < ROUNDS; round += 1) {
      const { folder, times } = folders[round % 2]!
      const result = await race(databaseUrl, processes, 'migrate', folder)
      expect(result.failures).toEqual([])
      expect(result.recorded).toEqual(times)
      expect(isExactlyOnce(result, times)).toBe(true)
      // One process applied all of them.
      expect(result.applied.filter((applied) => applied > 0)).toEqual([times.length])
    }
  },
)

// This one.
test('a sixth process that starts later applies no migration', async ({ databaseUrl }) => {
  const migrate = (each: Replica) => each.call<Migration>('migrate', { url: databaseUrl })
  const first = await Promise.all(processes.map(migrate))
  const total = first.reduce((sum, { applied }) => sum + applied, 0)
  expect(total).toBe(wanted.length)
  expect(await migrateDatabase({ url: databaseUrl })).toEqual({ applied: 0 })
})

test('the check of migrations detects a migration without the lock', async ({ databaseUrl }) => {
  let caught = false
  for (let round = 0; round < 20 && !caught; round += 1) {
    const result = await race(databaseUrl, processes, 'migrateWithoutLock', OURS)
    caught = !isExactlyOnce(result, wanted)
  }
  expect(caught).toBe(true)
})
