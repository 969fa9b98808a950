import { createServer } from 'node:http'
import type { Endpoint } from '@repo/api/endpoints'
import { createLog } from '@repo/observability'
import { createUpstream } from '@repo/proxy'
import { expect, test } from '@repo/testing'
import { identities, send } from '../gateway.fixture.ts'
import { createRoutes } from '../routing/routes.ts'
import { listen } from '../servers.fixture.ts'
import { createForwarders } from './forward.ts'
import { services } from './services.ts'

const base = { tag: 'test', summary: 'Test', auth: 'signed-in', responses: {} } as const
const endpoints: Endpoint[] = [
  { ...base, method: 'GET', path: '/api/payments/slow', deadlineMs: 100 },
  { ...base, method: 'POST', path: '/api/payments/small', bodyLimitBytes: 10 },
  { ...base, method: 'POST', path: '/api/payments/large', bodyLimitBytes: 2_000_000 },
]

test('the deadline and the body limit of an endpoint hold for its route, and for no other', async () => {
  const instance = createServer((req, res) => {
    req.resume().on('end', () => {
      if (req.url !== '/api/payments/slow') res.end('{}')
    })
  })
  await using service = await listen(instance)
  const upstream = createUpstream({ name: 'payments', targets: [service.origin] })
  const connection = { upstream, identities, cookies: false, country: false }
  const log = createLog({ app: 'gateway', instance: 'gateway-1', version: '', level: 'silent' })
  const securityHeaders = { addTo: () => undefined }
  const { table, unknown } = createRoutes(services, endpoints)
  const forwarders = createForwarders(new Map([['payments', connection]]), {
    instance: 'gateway-1',
    securityHeaders,
    log,
  })
  const server = createServer((req, res) => {
    const route = table.match(req.method ?? '', req.url ?? '') ?? unknown
    const caller = { identity: undefined, ip: '192.0.2.1', country: undefined, headers: [] }
    forwarders.of(route)(req, res, caller)
  })
  await using gateway = await listen(server)
  const post = (path: string, body: string) => send(gateway.origin, path, { method: 'POST', body })

  const slow = await send(gateway.origin, '/api/payments/slow')
  expect(slow.status).toBe(504)
  expect(slow.ms).toBeLessThan(2_000)
  expect((await post('/api/payments/small', 'x'.repeat(11))).status).toBe(413)
  expect((await post('/api/payments/small', 'x'.repeat(10))).status).toBe(200)
  expect((await post('/api/payments/large', 'x'.repeat(1_500_000))).status).toBe(200)
  expect((await post('/api/payments/other', 'x'.repeat(1_500_000))).status).toBe(413)

  await upstream.close()
})
