import { endpoints, paymentEndpoints } from '@repo/api/endpoints'
import { createOpenApiDocument, createResponseCheck } from '@repo/api/openapi'
import { expect, test } from '@repo/testing'
import { type Ask, openApp, order, payer } from './app.fixture.ts'

const check = createResponseCheck(
  createOpenApiDocument({
    endpoints,
    origin: 'https://example.com',
    cookieName: 'c',
    version: '1',
  }),
)

test('payments serves every endpoint of the contract that has its prefix, and no other', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const served = app.routes.map(({ method, path }) => `${method} ${path.replace(':id', '{id}')}`)
  const listed = endpoints.filter(({ path }) => path.startsWith('/api/payments'))
  expect([...new Set(served)].toSorted()).toEqual(
    listed.map(({ method, path }) => `${method} ${path}`).toSorted(),
  )
  expect(listed).toEqual(paymentEndpoints)
})

test('every response of payments matches the OpenAPI document', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  const ada = payer()
  async function read(path: string, target = path, ask: Ask = {}, caller: typeof ada | null = ada) {
    const { status, body } = await app.ask(caller ?? undefined, target, ask)
    const method = ask.method ?? (ask.body === undefined ? 'GET' : 'POST')
    expect(check({ method, path, status, body }), `${method} ${target} ${status}`).toBeUndefined()
    return { status, body }
  }
  const made = await read('/api/payments', '/api/payments', { body: order })
  const id = '/api/payments/{id}'
  const statuses = [
    made,
    await read('/api/payments'),
    await read(id, `/api/payments/${String(made.body['id'])}`),
    await read(id, '/api/payments/none'),
    await read('/api/payments', '/api/payments', { body: { ...order, amount: 0 } }),
    await read('/api/payments', '/api/payments', { body: '{' }),
    await read('/api/payments', '/api/payments', { body: order, headers: { 'content-type': '' } }),
    await read('/api/payments', '/api/payments', {}, null),
  ].map(({ status }) => status)
  expect(statuses).toEqual([201, 200, 200, 404, 422, 400, 415, 401])
})
