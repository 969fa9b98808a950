import { randomUUID } from 'node:crypto'
import { createDatabase, expect, test } from '@repo/testing'
import { Client } from 'pg'
import { createTestLog } from './log.fixture.ts'
import { migrateDatabase } from './migrate/migrate.ts'
import { openDatabase } from './open.ts'

async function execute(url: string, ...statements: string[]) {
  const client = new Client(url)
  await client.connect()
  const results = []
  for (const statement of statements) results.push(await client.query(statement))
  await client.end()
  return results.at(-1)?.rows ?? []
}

/** Creates a database, and two roles without any right in it. */
async function bareDatabase(serverUrl: string) {
  const created = await createDatabase(serverUrl)
  const { url } = created
  const database = new URL(url).pathname.slice(1)
  const suffix = randomUUID().replaceAll('-', '')
  const [owner, app] = [`owner_${suffix}`, `app_${suffix}`]
  await execute(
    url,
    `create role ${owner} login password 'x'`,
    `create role ${app} login password 'x'`,
    `revoke all on database ${database} from public`,
    'revoke all on schema public from public',
    `grant connect on database ${database} to ${owner}, ${app}`,
  )
  const as = (username: string) => Object.assign(new URL(url), { username, password: 'x' }).href
  return {
    url,
    owner,
    app,
    database,
    ownerUrl: as(owner),
    appUrl: as(app),
    async [Symbol.asyncDispose]() {
      await created.drop()
      await execute(serverUrl, `drop role ${owner}`, `drop role ${app}`)
    },
  }
}

/** The rights that docs/operations.md lists for the serving role. */
function servingGrants(schema: string, history: string, app: string, owner: string): string[] {
  const rows = 'select, insert, update, delete'
  return [
    `grant usage on schema ${schema}, ${history} to ${app}`,
    `grant ${rows} on all tables in schema ${schema} to ${app}`,
    `alter default privileges for role ${owner} in schema ${schema} grant ${rows} on tables to ${app}`,
    `grant select on ${history}.__drizzle_migrations to ${app}`,
  ]
}

function open(url: string, isMigrating: boolean) {
  const env = {
    DATABASE_URL: url,
    DATABASE_CONNECTIONS: 4,
    DATABASE_INSTANCES: 2,
    MIGRATE_ON_BOOT: isMigrating,
  }
  return openDatabase({ env, name: 'auth-1', log: createTestLog() })
}

/** Signs a user in, bans the user, and counts the effects of the triggers. */
const WORK = [
  `insert into "user" (id, name, email) values ('u', 'U', 'u@x')`,
  `insert into account (id, account_id, provider_id, user_id, password)
     values ('a', 'u', 'credential', 'u', 'hash')`,
  `insert into session (id, token, user_id, expires_at)
     values ('s', 't', 'u', now() + interval '1 day')`,
  `update "user" set banned = true where id = 'u'`,
]
const ENDED = `select (select count(*)::int from session) as sessions,
  (select count(*)::int from session_tombstone) as tombstones,
  (select count(*) > 0 from cache_outbox) as sent`

async function work(url: string) {
  for (const isMigrating of [false, true]) {
    const database = await open(url, isMigrating)
    await database.ping()
    await database.close()
  }
  return execute(url, ...WORK, ENDED)
}

const done = [{ sessions: 0, tombstones: 1, sent: true }]

test('the documented rights are enough in public, without the right to create schemas', async ({
  databaseUrl,
}) => {
  await using bare = await bareDatabase(databaseUrl)
  const { url, owner, app, ownerUrl, appUrl } = bare
  await execute(url, `grant usage, create on schema public to ${owner}`)
  expect((await migrateDatabase({ url: ownerUrl })).applied).toBeGreaterThan(0)
  await execute(ownerUrl, ...servingGrants('public', 'public', app, owner).slice(1))
  await execute(url, `grant usage on schema public to ${app}`)
  expect(await work(appUrl)).toEqual(done)
  expect(await migrateDatabase({ url: appUrl })).toEqual({ applied: 0 })
})

test('the documented rights are enough in public, with a schema for the history', async ({
  databaseUrl,
}) => {
  await using bare = await bareDatabase(databaseUrl)
  const { url, owner, app, ownerUrl, appUrl } = bare
  await execute(url, `grant usage, create on schema public to ${owner}`)
  await execute(url, `create schema drizzle authorization ${owner}`)
  await migrateDatabase({ url: ownerUrl })
  expect(
    await execute(url, `select to_regclass('drizzle.__drizzle_migrations') is null as no`),
  ).toEqual([{ no: false }])
  await execute(url, ...servingGrants('public', 'drizzle', app, owner))
  expect(await work(appUrl)).toEqual(done)
})

test.for(['the roles', 'the URL'])(
  'the documented rights are enough in another schema that %s name',
  async (by, { databaseUrl }) => {
    await using bare = await bareDatabase(databaseUrl)
    const { url, owner, app } = bare
    await execute(url, `create schema "Three" authorization ${owner}`)
    let { ownerUrl, appUrl } = bare
    if (by === 'the roles') {
      for (const role of [owner, app])
        await execute(url, `alter role ${role} set search_path = "Three"`)
    } else {
      const options = `options=${encodeURIComponent('-c search_path="Three"')}`
      ;[ownerUrl, appUrl] = [`${ownerUrl}?${options}`, `${appUrl}?${options}`]
    }
    await migrateDatabase({ url: ownerUrl })
    await execute(url, ...servingGrants('"Three"', '"Three"', app, owner))
    expect(await work(appUrl)).toEqual(done)
    expect(await execute(url, `select to_regclass('public.session') as elsewhere`)).toEqual([
      { elsewhere: null },
    ])
  },
)

test('two deployments in two schemas of one database are both migrated', async ({
  databaseUrl,
}) => {
  await using bare = await bareDatabase(databaseUrl)
  await execute(bare.url, 'create schema one', 'create schema two')
  const urlOf = (schema: string) =>
    `${bare.url}?options=${encodeURIComponent(`-c search_path=${schema}`)}`
  const one = await migrateDatabase({ url: urlOf('one') })
  expect(await migrateDatabase({ url: urlOf('two') })).toEqual(one)
  expect(await migrateDatabase({ url: urlOf('two') })).toEqual({ applied: 0 })
})

test('a database that drizzle migrated has its history in the same table', async ({
  databaseUrl,
}) => {
  const { drizzle } = await import('drizzle-orm/node-postgres')
  const { migrate } = await import('drizzle-orm/node-postgres/migrator')
  await using bare = await bareDatabase(databaseUrl)
  const client = new Client(bare.url)
  await client.connect()
  const migrationsFolder = new URL('../migrations', import.meta.url).pathname
  await migrate(drizzle({ client }), { migrationsFolder })
  await client.query(`delete from drizzle.__drizzle_migrations where id > 3`)
  await client.end()
  expect(await migrateDatabase({ url: bare.url }).catch((error: Error) => error.message)).toMatch(
    /migration \d+ failed: .* already exists/,
  )
})

test('a search_path without an existing schema is an error that names it', async ({
  databaseUrl,
}) => {
  const options = encodeURIComponent('-c search_path=nowhere')
  await expect(migrateDatabase({ url: `${databaseUrl}?options=${options}` })).rejects.toThrow(
    'search_path is nowhere: none of these schemas exists',
  )
})

test('a role without the right to create is an error that names the right', async ({
  databaseUrl,
}) => {
  await using bare = await bareDatabase(databaseUrl)
  await execute(bare.url, `grant usage on schema public to ${bare.owner}`)
  await expect(migrateDatabase({ url: bare.ownerUrl })).rejects.toThrow(
    'permission denied for schema public; docs/operations.md, "Roles", lists the rights',
  )
})
