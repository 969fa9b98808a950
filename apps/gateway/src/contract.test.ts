import * as contract from '@repo/api'
import { expect, test } from '@repo/testing'
import { addSession, ask, listInstances, serveGateway, signedIn } from './gateway.fixture.ts'

test("each response of the gateway's own routes matches the schema that clients parse it with", async ({
  databaseUrl,
}) => {
  const { cookie, identity } = await signedIn(databaseUrl, 'admin')
  await using gateway = await serveGateway({
    databaseUrl,
    auth: [],
    payments: [],
    instances: listInstances,
  })
  const { sessionId } = await addSession(gateway.database, identity.userId)
  const read = async (path: string, method = 'GET', body?: string) => {
    const options = { method, headers: { cookie }, ...(body && { body }) }
    const response = await ask(gateway.origin, path, options)
    expect(response.status, path).toBe(200)
    return response.body
  }
  expect(contract.me.parse(await read('/api/me'))).toMatchObject({
    user: { id: identity.userId, createdAt: expect.any(Date) },
    via: 'session',
  })
  expect(contract.cluster.parse(await read('/api/cluster')).instances).toHaveLength(1)
  expect(contract.sessions.parse(await read('/api/sessions')).sessions).toHaveLength(2)
  expect(contract.limits.parse(await read('/api/limits'))).toMatchObject({ activity: {} })
  expect(contract.publicSettings.parse(await read('/api/settings/public'))).toBeDefined()
  expect(contract.settings.parse(await read('/api/settings')).settings).toHaveLength(2)
  const change = await read('/api/settings/payments', 'PUT', '{"value":"closed"}')
  expect(contract.settingChange.parse(change)).toMatchObject({ setting: { value: 'closed' } })
  const ended = await read(`/api/sessions/${sessionId}`, 'DELETE')
  expect(contract.revocation.parse(ended)).toMatchObject({ revoked: 1, acked: 1, instances: 1 })
})

test('a request that is refused gets a problem document that clients can show', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl, 'admin')
  await using gateway = await serveGateway({ databaseUrl, auth: [], payments: [] })
  const refused = await ask(gateway.origin, '/api/settings/announcement', {
    method: 'PUT',
    headers: { cookie },
    body: JSON.stringify({ value: 'x'.repeat(201) }),
  })
  expect(refused.status).toBe(422)
  expect(contract.problem.parse(refused.body)).toMatchObject({
    detail: expect.any(String),
    errors: [{ field: 'value', message: 'must have at most 200 characters' }],
  })
})
