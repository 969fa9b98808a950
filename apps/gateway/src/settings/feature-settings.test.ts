import { expect, test } from '@repo/testing'
import { ask, serveGateway, signedIn } from '../gateway.fixture.ts'
import { serveUpstream } from '../servers.fixture.ts'

const nowhere = { auth: [], payments: [] }
const json = { 'content-type': 'application/json' }

function put(origin: string, name: string, value: unknown, cookie = '') {
  const body = JSON.stringify(value)
  return ask(origin, `/api/settings/${name}`, { method: 'PUT', body, headers: { ...json, cookie } })
}

test('a setting has its default until an administrator changes it, and then names the administrator and the time', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl, 'admin')
  await using gateway = await serveGateway({ databaseUrl, ...nowhere })
  await gateway.database.pool.query('delete from setting')
  const shown = async () => (await ask(gateway.origin, '/api/settings/public')).body
  const listed = async () =>
    (await ask(gateway.origin, '/api/settings', { headers: { cookie } })).body

  expect(await shown()).toEqual({ announcement: '', payments: 'open' })
  const unset = { default: '', value: '', updatedAt: null, updatedBy: null }
  expect(await listed()).toMatchObject({ settings: [{ name: 'announcement', ...unset }, {}] })

  const answer = await put(gateway.origin, 'announcement', { value: ' Back at noon ' }, cookie)
  const setting = { value: 'Back at noon', updatedAt: expect.any(String), updatedBy: 'Ada' }
  expect(answer).toMatchObject({
    status: 200,
    body: { setting, delivery: { outcome: 'everywhere', acked: ['memory'] } },
  })
  expect(await shown()).toEqual({ announcement: 'Back at noon', payments: 'open' })
  expect(await listed()).toMatchObject({ settings: [setting, { name: 'payments' }] })
})

test('a text that PostgreSQL refuses is 422 and names the field', async ({ databaseUrl }) => {
  const { cookie } = await signedIn(databaseUrl, 'admin')
  await using gateway = await serveGateway({ databaseUrl, ...nowhere })
  for (const value of ['a\0b', '\u0007', '\uD800', 'x'.repeat(201), { text: 'x' }, ['x'], null]) {
    const answer = await put(gateway.origin, 'announcement', { value }, cookie)
    expect(answer, JSON.stringify(value)).toMatchObject({
      status: 422,
      body: { errors: [{ field: 'value' }] },
    })
  }
})

test('a setting that a later release stored in another form has its strictest value', async ({
  databaseUrl,
}) => {
  await signedIn(databaseUrl, 'admin')
  await using gateway = await serveGateway({ databaseUrl, ...nowhere })
  await gateway.database.pool.query(
    `insert into setting (name, value, updated_by) values ('payments', '{"mode":"half"}', 'x')
     on conflict (name) do update set value = excluded.value`,
  )
  expect(await ask(gateway.origin, '/api/settings/public')).toMatchObject({
    status: 200,
    body: { payments: 'closed' },
  })
  await gateway.database.pool.query('delete from setting')
})

test('only administrators can change a setting, and only to a valid value', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl, 'admin')
  const person = await signedIn(databaseUrl)
  await using gateway = await serveGateway({ databaseUrl, ...nowhere })
  const { origin } = gateway
  expect(await put(origin, 'payments', { value: 'closed' })).toMatchObject({ status: 401 })
  expect(await put(origin, 'payments', { value: 'closed' }, person.cookie)).toMatchObject({
    status: 403,
    body: { type: 'urn:threefold:problem:administrators-only' },
  })
  const refused = [
    ['payments', { value: 'ajar' }, 'value'],
    ['payments', {}, 'value'],
    ['announcement', { value: 'x'.repeat(201) }, 'value'],
    ['announcement', { value: 7 }, 'value'],
    ['announcement', { value: 'x', also: 1 }, 'also'],
  ] as const
  for (const [name, value, field] of refused) {
    expect(await put(origin, name, value, cookie)).toMatchObject({
      status: 422,
      body: { errors: [{ field }] },
    })
  }
  expect(await put(origin, 'colour', { value: 'red' }, cookie)).toMatchObject({ status: 404 })
  expect((await ask(origin, '/api/settings/public')).body).toEqual({
    announcement: '',
    payments: 'open',
  })
})

test('new payments are refused while payments are closed, and existing ones can be read', async ({
  databaseUrl,
}) => {
  const administrator = await signedIn(databaseUrl, 'admin')
  const { cookie } = await signedIn(databaseUrl)
  await using upstream = await serveUpstream('payments-1')
  await using gateway = await serveGateway({
    databaseUrl,
    auth: [],
    payments: [upstream.origin],
  })
  const pay = () =>
    ask(gateway.origin, '/api/payments', { method: 'POST', body: '{}', headers: { cookie } })
  expect(await pay()).toMatchObject({ status: 200 })
  await put(gateway.origin, 'payments', { value: 'closed' }, administrator.cookie)
  expect(await pay()).toMatchObject({
    status: 503,
    headers: { 'retry-after': '60' },
    body: { type: 'urn:threefold:problem:payments-closed' },
  })
  expect(upstream.seen).toHaveLength(1)
  const read = await ask(gateway.origin, '/api/payments', { headers: { cookie } })
  expect(read).toMatchObject({ status: 200 })
  await put(gateway.origin, 'payments', { value: 'open' }, administrator.cookie)
  expect(await pay()).toMatchObject({ status: 200 })
})
