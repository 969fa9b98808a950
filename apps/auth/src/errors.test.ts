import { expect, test } from '@repo/testing'
import { openApp, person } from './auth.fixture.ts'

const { name: _, ...ada } = person('ada')
const OUTAGES = ['25006', '28000', '40P01', '53200', '55P03', '57P01', '58030', '08006', 'XX000']
const DEFECTS = ['22001', '42703', 'P0001']

/** Makes each new session fail as if PostgreSQL had raised the error itself. */
async function openFailing(databaseUrl: string, code: string) {
  const app = await openApp(databaseUrl)
  await app.database.pool.query('truncate "user" cascade')
  expect((await app.ask('/sign-up/email', { body: person('ada') })).status).toBe(200)
  await app.database.pool.query(
    `create or replace function fail() returns trigger language plpgsql as $$
     begin raise exception using errcode = '${code}', message = 'raised by the test'; end $$`,
  )
  await app.database.pool.query(
    'create trigger fail before insert on session for each row execute function fail()',
  )
  const drop = () => app.database.pool.query('drop trigger if exists fail on session')
  return {
    ...app,
    drop,
    [Symbol.asyncDispose]: () => drop().then(() => app[Symbol.asyncDispose]()),
  }
}

test.for(OUTAGES)(
  'an error of PostgreSQL inside Better Auth that is an outage is 503 with Retry-After: %s',
  async (code, { databaseUrl }) => {
    await using app = await openFailing(databaseUrl, code)
    const signIn = await app.ask('/sign-in/email', { body: ada })
    expect(signIn).toMatchObject({
      status: 503,
      body: { type: 'urn:threefold:problem:unavailable' },
    })
    expect(signIn.headers.get('retry-after')).toBe('1')
    const signUp = await app.ask('/sign-up/email', { body: person('grace') })
    expect(signUp.status).toBe(503)
    await app.drop()
    expect((await app.ask('/sign-in/email', { body: ada })).status).toBe(200)
    const { rows } = await app.database.pool.query(
      `select count(*)::int as n from "user" where email like 'grace%'`,
    )
    expect(rows).toEqual([{ n: 0 }])
  },
)

test.for(DEFECTS)(
  'an error of PostgreSQL inside Better Auth that is a defect is not 503: %s',
  async (code, { databaseUrl }) => {
    await using app = await openFailing(databaseUrl, code)
    const signIn = await app.ask('/sign-in/email', { body: ada })
    expect(signIn.status).toBe(500)
    expect(signIn.headers.get('retry-after')).toBeNull()
  },
)
