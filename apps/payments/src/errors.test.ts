import { expect, test } from '@repo/testing'
import { openApp, order, payer } from './app.fixture.ts'

const OUTAGES = ['25006', '28000', '40001', '40P01', '53100', '55P03', '57014', '57P03', '58030']
const MORE_OUTAGES = ['08006', '08P01', '26000', '3D000', '42501', '54000', 'XX000', 'XX001']
const DEFECTS = ['22003', '23514', '42703', '42P01', '2F003', 'P0001', '0A000']

/** Makes each new payment fail as if PostgreSQL had raised the error itself. */
async function openFailing(databaseUrl: string, code: string) {
  const app = await openApp(databaseUrl)
  await app.database.pool.query(
    `create or replace function fail() returns trigger language plpgsql as $$
     begin raise exception using errcode = '${code}', message = 'raised by the test'; end $$`,
  )
  await app.database.pool.query('drop trigger if exists fail on payment')
  await app.database.pool.query(
    'create trigger fail before insert on payment for each row execute function fail()',
  )
  return app
}

test.for([...OUTAGES, ...MORE_OUTAGES])(
  'an error of PostgreSQL that is an outage is 503 with Retry-After: %s',
  async (code, { databaseUrl }) => {
    await using app = await openFailing(databaseUrl, code)
    const answer = await app.ask(payer(), '/api/payments', { body: order })
    expect(answer).toMatchObject({
      status: 503,
      body: { type: 'urn:threefold:problem:unavailable' },
    })
    expect(answer.headers.get('retry-after')).toBe('1')
    await app.database.pool.query('drop trigger fail on payment')
    expect((await app.ask(payer(), '/api/payments', { body: order })).status).toBe(201)
  },
)

test.for(DEFECTS)(
  'an error of PostgreSQL that is a defect is 500: %s',
  async (code, { databaseUrl }) => {
    await using app = await openFailing(databaseUrl, code)
    const answer = await app.ask(payer(), '/api/payments', { body: order })
    expect(answer).toMatchObject({ status: 500 })
    expect(answer.headers.get('retry-after')).toBeNull()
    expect(JSON.stringify(answer.body)).not.toContain('raised by the test')
  },
)
