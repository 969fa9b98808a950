import { endpoints } from '@repo/api/endpoints'
import { createOpenApiDocument, createResponseCheck } from '@repo/api/openapi'
import { expect, test } from '@repo/testing'
import {
  addSession,
  ask,
  listInstances,
  ORIGIN,
  serveGateway,
  signedIn,
  type TestGateway,
} from '../gateway.fixture.ts'
import { services } from '../upstreams/services.ts'

const nowhere = { auth: [], payments: [] }

const ownEndpoints = endpoints.filter(
  ({ path }) =>
    !services.some(({ paths }) => paths.some((prefix) => `${path}/`.startsWith(`${prefix}/`))),
)

function keyOf({ method, path }: { method: string; path: string }): string {
  return `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`
}

async function readText(gateway: TestGateway, path: string, headers = {}) {
  const response = await fetch(gateway.origin + path, { headers })
  return { response, text: await response.text() }
}

test('the document of the gateway has every route that the gateway serves, and no other', async ({
  databaseUrl,
}) => {
  await signedIn(databaseUrl)
  await using gateway = await serveGateway({ databaseUrl, ...nowhere })
  expect(gateway.ownRoutes.map(keyOf).toSorted()).toEqual(ownEndpoints.map(keyOf).toSorted())
  const { response, text } = await readText(gateway, '/api/openapi.json')
  const document = JSON.parse(text)
  expect(Object.keys(document.paths).toSorted()).toEqual(
    [...new Set(endpoints.map(({ path }) => path))].toSorted(),
  )
  expect(document).toMatchObject({
    openapi: '3.1.1',
    servers: [{ url: ORIGIN }],
    components: {
      securitySchemes: {
        session: { in: 'cookie', name: 'better-auth.session_token' },
        apiKey: { scheme: 'bearer', bearerFormat: 'tf_...' },
      },
    },
  })
  expect(response.headers.get('cache-control')).toBe('public, max-age=60')
  const tag = response.headers.get('etag') ?? ''
  const again = await readText(gateway, '/api/openapi.json', { 'if-none-match': tag })
  expect(again.response.status).toBe(304)
})

test('every response of the gateway matches the document, for each of its endpoints', async ({
  databaseUrl,
}) => {
  const { cookie, identity } = await signedIn(databaseUrl, 'admin')
  const limits = {
    policies: [{ name: 'user', quota: 1_000, windowMs: 60_000, by: 'user' }],
    routes: [],
  }
  await using gateway = await serveGateway({
    databaseUrl,
    ...nowhere,
    instances: listInstances,
  })
  const { sessionId } = await addSession(gateway.database, identity.userId)
  const check = createResponseCheck(
    createOpenApiDocument({ endpoints, origin: ORIGIN, cookieName: 'c', version: '1' }),
  )
  const seen = new Set<string>()

  async function read(method: string, path: string, target = path, body?: unknown, as = cookie) {
    const response = await ask(gateway.origin, target, {
      method,
      headers: { cookie: as },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const { status, body: sent } = response
    expect(check({ method, path, status, body: sent }), `${method} ${target} ${status}`).toBe(
      undefined,
    )
    if (status < 400) seen.add(`${method} ${path}`)
    return response
  }

  await read('GET', '/api/me')
  await read('GET', '/api/me', '/api/me', undefined, '')
  await read('GET', '/api/sessions')
  await read('DELETE', '/api/sessions/{id}', `/api/sessions/${sessionId}`)
  await read('DELETE', '/api/sessions/{id}', '/api/sessions/none')
  await read('DELETE', '/api/sessions')
  const created = await read('POST', '/api/keys', '/api/keys', {
    name: 'Robot',
    scopes: ['payments:read'],
  })
  await read('POST', '/api/keys', '/api/keys', { name: '' })
  await read('GET', '/api/keys')
  const { id } = Object(created.body['key'])
  await read('DELETE', '/api/keys/{id}', `/api/keys/${id}`)
  await read('GET', '/api/settings/public')
  await read('GET', '/api/settings')
  await read('GET', '/api/settings', '/api/settings', undefined, '')
  await read('PUT', '/api/settings/{name}', '/api/settings/payments', { value: 'closed' })
  await read('PUT', '/api/settings/{name}', '/api/settings/payments', { value: 1 })
  await read('PUT', '/api/settings/{name}', '/api/settings/none', { value: 1 })
  await read('GET', '/api/limits', '/api/limits?minutes=15')
  await read('PUT', '/api/limits', '/api/limits', limits)
  await read('PUT', '/api/limits', '/api/limits', {})
  const block = { policy: 'user', id: 'someone', forMs: 1_000 }
  await read('POST', '/api/limits/blocks', '/api/limits/blocks', block)
  await read('POST', '/api/limits/blocks', '/api/limits/blocks', { ...block, forMs: 1 })
  await read('DELETE', '/api/limits/blocks', '/api/limits/blocks?policy=user&id=someone')
  await read('GET', '/api/cluster')
  await read('GET', '/api/observability')
  const withSchema = ownEndpoints.filter(({ tag }) => tag !== 'reference')
  expect([...seen].toSorted()).toEqual(withSchema.map(keyOf).toSorted())
})

test('the reference has a strict policy, and requests nothing from another origin', async ({
  databaseUrl,
}) => {
  await signedIn(databaseUrl)
  await using gateway = await serveGateway({ databaseUrl, ...nowhere })
  const { response, text } = await readText(gateway, '/api/docs')
  expect(response.status).toBe(200)
  const policy = response.headers.get('content-security-policy')
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
  expect(policy).not.toContain('unsafe')
  const addresses = [...text.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address)
  expect(addresses).toHaveLength(6)
  for (const address of addresses) {
    const url = new URL(address ?? '', `${ORIGIN}/api/docs`)
    expect(url.origin).toBe(ORIGIN)
    if (!url.pathname.startsWith('/api/docs/')) continue
    const file = await readText(gateway, url.pathname, { 'accept-encoding': 'br' })
    expect(file.response.status, url.pathname).toBe(200)
    expect(file.text.length).toBeGreaterThan(400)
  }
  expect((await readText(gateway, '/api/docs/package.json')).response.status).toBe(404)
  expect((await readText(gateway, '/api/docs/__proto__')).response.status).toBe(404)
})
