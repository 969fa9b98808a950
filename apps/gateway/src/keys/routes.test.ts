import { createdKey } from '@repo/api'
import { connectDatabase } from '@repo/database'
import { expect, test } from '@repo/testing'
import { addSession, ask, serveGateway, signedIn } from '../gateway.fixture.ts'

const newKey = { name: 'Build', scopes: ['payments:read'] }

/** Sends a request with a body as a signed-in page does. */
function post(origin: string, cookie: string, body: unknown) {
  const options = { method: 'POST', headers: { cookie }, body: JSON.stringify(body) }
  return ask(origin, '/api/keys', options)
}

test('only the response to its creation contains an API key, and after its revocation no list has it', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl)
  await using gateway = await serveGateway({ databaseUrl, auth: [], payments: [] })
  const created = await post(gateway.origin, cookie, { ...newKey, expiresInDays: 30 })
  expect(created).toMatchObject({
    status: 201,
    headers: { 'cache-control': 'private, no-store' },
    body: {
      text: expect.stringMatching(/^tf_[0-9a-z]{12}_[\w-]{43}$/),
      key: { ...newKey, lastUsedAt: null },
    },
  })
  const { text, key } = createdKey.parse(created.body)
  const days = ((key.expiresAt?.getTime() ?? 0) - Date.now()) / 86_400_000
  expect(days).toBeCloseTo(30, 1)
  const headers = { cookie }
  const listed = await ask(gateway.origin, '/api/keys', { headers })
  expect(listed).toMatchObject({ status: 200, body: { keys: [{ id: key.id, name: 'Build' }] } })
  expect(JSON.stringify(listed.body)).not.toContain(text.slice(-43))
  const path = `/api/keys/${key.id}`
  const revoked = await ask(gateway.origin, path, { method: 'DELETE', headers })
  expect(revoked).toMatchObject({ status: 200, body: { revoked: 1, acked: 1, instances: 1 } })
  expect(await ask(gateway.origin, path, { method: 'DELETE', headers })).toMatchObject({
    status: 404,
  })
  expect((await ask(gateway.origin, '/api/keys', { headers })).body).toEqual({ keys: [] })
})

const faults: [field: string, body: object][] = [
  ['name', { scopes: ['payments:read'] }],
  ['name', { ...newKey, name: '  ' }],
  ['name', { ...newKey, name: 'x'.repeat(61) }],
  ['name', { ...newKey, name: 'a\u0000b' }],
  ['name', { ...newKey, name: '\ud800' }],
  ['scopes', { name: 'Build' }],
  ['scopes', { ...newKey, scopes: [] }],
  ['scopes.0', { ...newKey, scopes: ['admin'] }],
  ['scopes.0', { ...newKey, scopes: ['__proto__'] }],
  ['expiresInDays', { ...newKey, expiresInDays: 0 }],
  ['expiresInDays', { ...newKey, expiresInDays: 1.5 }],
  ['expiresInDays', { ...newKey, expiresInDays: 1e9 }],
  ['secret', { ...newKey, secret: 'mine' }],
]

test('a new key with a fault is refused with 422, which names the field, and nothing is created', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl)
  await using gateway = await serveGateway({ databaseUrl, auth: [], payments: [] })
  for (const [field, body] of faults) {
    const refused = await post(gateway.origin, cookie, body)
    expect(refused.status, JSON.stringify(body)).toBe(422)
    expect(refused.body['errors']).toEqual([expect.objectContaining({ field })])
  }
  const listed = await ask(gateway.origin, '/api/keys', { headers: { cookie } })
  expect(listed.body).toEqual({ keys: [] })
})

test('a key is created and revoked by its user only: not without a session, from another site, or by an impersonator', async ({
  databaseUrl,
}) => {
  const [ada, eve, root] = [
    await signedIn(databaseUrl),
    await signedIn(databaseUrl),
    await signedIn(databaseUrl, 'admin'),
  ]
  const database = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 1 })
  const { userId, sessionId } = root.identity
  const acting = { impersonatedBy: userId, sourceSessionId: sessionId }
  const impersonation = await addSession(database, ada.identity.userId, acting)
  await database.close()
  await using gateway = await serveGateway({ databaseUrl, auth: [], payments: [] })
  const { origin } = gateway
  const { key } = createdKey.parse((await post(origin, ada.cookie, newKey)).body)
  const path = `/api/keys/${key.id}`
  const status = async (cookie: string, method: string, headers = {}) => {
    const target = method === 'DELETE' ? path : '/api/keys'
    const body = method === 'POST' ? { body: JSON.stringify(newKey) } : {}
    const options = { method, headers: { cookie, ...headers }, ...body }
    return (await ask(origin, target, options)).status
  }
  expect(await status('', 'POST')).toBe(401)
  expect(await status('', 'GET')).toBe(401)
  expect(await status(eve.cookie, 'DELETE')).toBe(404)
  const foreign = { origin: 'https://evil.example' }
  expect(await status(ada.cookie, 'POST', foreign)).toBe(403)
  expect(await status(ada.cookie, 'DELETE', foreign)).toBe(403)
  expect(await status(impersonation.cookie, 'GET')).toBe(200)
  expect(await status(impersonation.cookie, 'POST')).toBe(403)
  expect(await status(impersonation.cookie, 'DELETE')).toBe(403)
  const listed = await ask(origin, '/api/keys', { headers: { cookie: ada.cookie } })
  expect(listed.body).toMatchObject({ keys: [{ id: key.id }] })
})
