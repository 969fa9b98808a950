import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { createAuthority } from '@repo/testing'
import { expect, vi } from 'vitest'
import { endpointOf, openSocket } from '../client/socket.ts'
import { ask, test, until } from '../servers.fixture.ts'
import type { TargetSource, UpstreamEvent } from './upstream.ts'

/** Starts an https server with this certificate, and returns its port. */
async function listen(
  certificate: { cert: string; key: string },
  listener: RequestListener = (_req, res) => void res.end('secure'),
) {
  let handshakes = 0
  const server = createServer(certificate, listener)
  server.on('secureConnection', () => (handshakes += 1))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (!address || typeof address === 'string') throw new TypeError('not listening on TCP')
  return {
    port: address.port,
    handshakes: () => handshakes,
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

test('the Host of a client has no effect on the name that the certificate of a target must have', async ({
  servers,
}) => {
  await using authority = await createAuthority()
  await using server = await listen(await authority.issue('localhost'))
  await using other = await listen(await authority.issue('other.example'))
  const upstreamAt = (port: number) =>
    servers.upstreamOf([`https://localhost:${port}`], { ca: authority.ca })
  const proxy = await servers.proxyOf(upstreamAt(server.port))
  const wrong = await servers.proxyOf(upstreamAt(other.port))
  for (const host of ['other.example', 'www.example', 'localhost', '127.0.0.1']) {
    const headers = { host }
    expect(await ask(proxy, { headers }), host).toMatchObject({ status: 200, body: 'secure' })
    expect((await ask(wrong, { headers })).status, host).toBe(503)
  }
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

test('a streamed body waits for the connection of its silent instance, and is not destroyed', async ({
  servers,
}) => {
  await using authority = await createAuthority()
  const begun = vi.fn()
  /** Responds with the length of the body. */
  const measure: RequestListener = (req, res) => {
    req.once('data', begun)
    text(req).then(
      (body) => res.end(String(body.length)),
      () => res.destroy(),
    )
  }
  await using server = await listen(await authority.issue('localhost'), measure)
  // It accepts connections, and passes their bytes on after the release.
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  async function pass(socket: Socket) {
    await released
    const inner = connect(server.port, '127.0.0.1')
    inner.on('error', () => undefined)
    inner.on('close', () => socket.destroy())
    socket.pipe(inner).pipe(socket)
  }
  const silent = await servers.serveTcp(
    createTcpServer((socket) => {
      socket.on('error', () => undefined)
      void pass(socket)
    }),
  )
  const late = `https://localhost:${new URL(silent).port}`
  const live = await servers.serve(measure)
  let join: (() => void) | undefined
  const upstream = servers.upstreamOf([], {
    ca: authority.ca,
    connectTimeoutMs: 60_000,
    healthCheck: { path: '/readyz', intervalMs: 3_600_000, timeoutMs: 60_000 },
    targets: {
      follow(update) {
        update([late])
        join = () => update([late, live])
        return () => undefined
      },
    },
  })
  const proxy = await servers.proxyOf(upstream, { bufferBytes: 4 })
  const client = connect(Number(new URL(proxy).port), '127.0.0.1')
  const answer = text(client.setEncoding('latin1'))
  const [first, rest] = ['01234567', 'x'.repeat(100_000)]
  const length = first.length + rest.length
  client.write(
    `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n${first}`,
  )
  await until(() => upstream.targets()[0]?.inFlight === 1)
  join?.()
  await until(() => upstream.targets()[0]?.state === 'down')
  release()
  // The connections of the health check and of the request.
  await until(() => server.handshakes() === 2 && begun.mock.calls.length === 1)
  client.write(rest)
  expect(await answer).toMatch(new RegExp(`^HTTP/1.1 200 [^]*\r\n\r\n${length}$`))
})

test('the connections to one target parse its certificates of authorities once', async () => {
  await using authority = await createAuthority()
  await using server = await listen(await authority.issue('localhost'))
  const trust = { ca: authority.ca }
  const endpoint = endpointOf(`https://localhost:${server.port}`, trust)
  const contexts: unknown[] = []
  for (let i = 0; i < 2; i += 1) {
    const connected = Promise.withResolvers<void>()
    const reader = { onConnect: connected.resolve, onRead: () => undefined }
    const socket = openSocket(endpoint, reader, false).on('error', connected.reject)
    await connected.promise
    contexts.push(endpoint.secureContext)
    socket.destroy()
  }
  expect(contexts[0]).toBeDefined()
  expect(contexts[1]).toBe(contexts[0])
})
