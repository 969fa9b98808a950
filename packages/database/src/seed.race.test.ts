import { afterAll, contend, expect, test } from '@repo/testing'
import { connectDatabase, type DatabaseConnection } from './connect.ts'
import { migrateDatabase } from './migrate/migrate.ts'
import { demo, seedDemo } from './seed.ts'

const hashPassword = async (password: string) => `hash of ${password}`

const open: DatabaseConnection[] = []
afterAll(async () => void (await Promise.all(open.map((database) => database.close()))))

/** Opens one connection for each of `n` instances, to a database with the schema and without users. */
async function instances(url: string, n: number): Promise<DatabaseConnection[]> {
  await migrateDatabase({ url })
  const connections = Array.from({ length: n }, (_, index) =>
    connectDatabase({ url, name: `seed-${index}`, poolSize: 1 }),
  )
  open.push(...connections)
  await connections[0]!.pool.query('truncate "user" cascade')
  return connections
}

async function accounts({ pool }: DatabaseConnection) {
  const { rows } = await pool.query(
    `select u.email, u.role, a.provider_id, a.password
     from "user" u left join account a on a.user_id = u.id order by u.email`,
  )
  return rows
}

const seeded = [demo.user, demo.admin].map(({ email, role }) => {
  return { email, role, provider_id: 'credential', password: `hash of ${demo.password}` }
})

test('five instances that seed at once create each demo user once, in each of 20 rounds', async ({
  databaseUrl,
}) => {
  const five = await instances(databaseUrl, 5)
  for (let round = 0; round < 20; round += 1) {
    await five[0]!.pool.query('truncate "user" cascade')
    const ends = await contend(5, (index) => seedDemo(five[index]!.db, { hashPassword }))
    const created = ends.map((end) => (end.status === 'fulfilled' ? end.value.created : end))
    expect(created.filter((each) => each !== 0)).toEqual([2])
    expect(await accounts(five[0]!)).toEqual(seeded)
  }
})

test('a second seeding does not change the demo users', async ({ databaseUrl }) => {
  const [database] = await instances(databaseUrl, 1)
  expect(await seedDemo(database!.db, { hashPassword })).toEqual({ created: 2 })
  const before = await database!.pool.query('select * from "user" join account on true')
  expect(await seedDemo(database!.db, { hashPassword })).toEqual({ created: 0 })
  const after = await database!.pool.query('select * from "user" join account on true')
  expect(after.rows).toEqual(before.rows)
})

test('a seeding does not change a changed password', async ({ databaseUrl }) => {
  const [database] = await instances(databaseUrl, 1)
  await seedDemo(database!.db, { hashPassword })
  await database!.pool.query(`update account set password = 'theirs' where user_id = 'demo-user'`)
  expect(await seedDemo(database!.db, { hashPassword })).toEqual({ created: 0 })
  expect((await accounts(database!)).map(({ password }) => password)).toContain('theirs')
})

test('a seeding does not change another account with the same address', async ({ databaseUrl }) => {
  const [database] = await instances(databaseUrl, 1)
  await database!.pool.query(
    `insert into "user" (id, name, email) values ('own', 'Ada', 'ada@threefold.test')`,
  )
  expect(await seedDemo(database!.db, { hashPassword })).toEqual({ created: 1 })
  const theirs = { email: 'ada@threefold.test', role: 'user', provider_id: null, password: null }
  expect(await accounts(database!)).toContainEqual(theirs)
})
