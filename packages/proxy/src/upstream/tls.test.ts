import { createServer } from 'node:https'
import { createAuthority } from '@repo/testing'
import { expect } from 'vitest'
import { ask, test, until } from '../servers.fixture.ts'
import type { TargetSource, UpstreamEvent } from './upstream.ts'

/** Starts an https server with this certificate, and returns its port. */
async function listen(certificate: { cert: string; key: string }) {
  const server = createServer(certificate, (_req, res) => res.end('secure'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (!address || typeof address === 'string') throw new TypeError('not listening on TCP')
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const healthCheck = { path: '/readyz', intervalMs: 20, timeoutMs: 1_000 }

test('requests and health checks reach an https target whose certificate the given authority signed', async ({
  servers,
}) => {
  await using authority = await createAuthority()
  await using server = await listen(await authority.issue('localhost'))
  const origins = [`https://localhost:${server.port}`]
  const upstream = servers.upstreamOf(origins, { ca: authority.ca, healthCheck })
  const proxy = await servers.proxyOf(upstream)
  expect(await ask(proxy)).toMatchObject({ status: 200, body: 'secure' })
  await until(() => (upstream.pick()?.answers ?? 0) >= 2)
  expect(upstream.targets()).toMatchObject([{ state: 'healthy' }])
})

test.for([
  ['of another host', 'other.example', true, 'altnames'],
  ['of an unknown authority', 'localhost', false, 'certificate'],
] as const)(
  'an https target with a certificate %s gets no request, and the reason is reported',
  async ([, name, hasAuthority, reason], { servers }) => {
    await using authority = await createAuthority()
    await using server = await listen(await authority.issue(name))
    const events: UpstreamEvent[] = []
    const upstream = servers.upstreamOf([`https://localhost:${server.port}`], {
      ...(hasAuthority && { ca: authority.ca }),
      healthCheck,
      onEvent: (event) => void events.push(event),
    })
    const response = await ask(await servers.proxyOf(upstream))
    expect(response.status).toBe(503)
    expect(response.body).not.toContain('secure')
    await until(() => events.some(({ event }) => event === 'down'))
    expect(events.map(({ detail }) => detail).join('\n')).toContain(reason)
  },
)

test('a target that is an address is verified by the name of its source', async ({ servers }) => {
  await using authority = await createAuthority()
  await using server = await listen(await authority.issue('payments.internal'))
  const origins = [`https://127.0.0.1:${server.port}`]
  const sourceOf = (servername: string): TargetSource => ({
    servername,
    follow(update) {
      update(origins)
      return () => undefined
    },
  })
  const read = async (servername: string) => {
    const upstream = servers.upstreamOf([], { targets: sourceOf(servername), ca: authority.ca })
    return (await ask(await servers.proxyOf(upstream))).status
  }
  expect(await read('payments.internal')).toBe(200)
  expect(await read('auth.internal')).toBe(503)
})
