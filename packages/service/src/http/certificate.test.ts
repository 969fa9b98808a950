import { once } from 'node:events'
import { ServerResponse } from 'node:http'
import { type Agent, get } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect, type TLSSocket } from 'node:tls'
import { createLog } from '@repo/observability'
import { createAuthority, expect, test, until } from '@repo/testing'
import { serve } from '../http.fixture.ts'
import { followCertificate, readCertificate } from './certificate.ts'
import { createHttpServer } from './http-server.ts'
import { urlOf } from './listen.ts'

const log = createLog({ app: 'test', instance: 'test-1', version: '', level: 'silent' })

function ask(port: string, ca: string, agent?: Agent): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const req = get(
      { host: 'localhost', port, ca, ...(agent ? { agent } : { agent: false }) },
      (res) => {
        const { statusCode: status = 0 } = res
        text(res).then((body) => resolve({ status, body }), reject)
      },
    )
    req.on('error', reject)
  })
}

/** The serial number of the certificate that new connections get. */
async function serialOf(port: string, ca: string): Promise<string> {
  const socket: TLSSocket = connect({
    host: 'localhost',
    port: Number(port),
    servername: 'localhost',
    ca,
  })
  await once(socket, 'secureConnect')
  const { serialNumber } = socket.getPeerCertificate()
  socket.destroy()
  return serialNumber
}

test('an instance serves https with its certificate, and a client that trusts another authority is refused', async () => {
  await using authority = await createAuthority()
  await using other = await createAuthority()
  const files = await authority.write('a', await authority.issue('localhost'))
  await using served = await serve((_req, res) => res.end('secure'), undefined, files)
  const { port } = new URL(served.url)
  expect(await ask(port, authority.ca)).toEqual({ status: 200, body: 'secure' })
  await expect(ask(port, other.ca)).rejects.toThrow('certificate')
})

test('a drain ends idle connections with TLS, and no connection with a request in flight', async () => {
  await using authority = await createAuthority()
  const files = await authority.write('a', await authority.issue('localhost'))
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  await using served = await serve(
    async (_req, res) => {
      await released
      res.end('done')
    },
    undefined,
    files,
  )
  const { port } = new URL(served.url)
  const pending = ask(port, authority.ca)
  await until(() => served.inFlight() === 1)
  const accepted = once(served.server, 'secureConnection')
  const idle = connect({
    host: 'localhost',
    port: Number(port),
    servername: 'localhost',
    ca: authority.ca,
  })
  idle.on('error', () => undefined).resume()
  await accepted
  const closed = once(idle, 'close')
  served.closeSilent()
  await closed
  release()
  expect(await pending).toEqual({ status: 200, body: 'done' })
})

test('new connections use a changed certificate; while its key does not belong to it, the old one is used', async () => {
  await using authority = await createAuthority()
  const [first, second] = [await authority.issue('localhost'), await authority.issue('localhost')]
  const files = await authority.write('a', first)
  await using served = await serve((_req, res) => res.end('secure'), undefined, files)
  const { port } = new URL(served.url)
  const before = await serialOf(port, authority.ca)
  await authority.write('a', { cert: second.cert, key: first.key })
  await until(() => served.lines.some(({ event }) => event === 'certificate.invalid'))
  expect(await serialOf(port, authority.ca)).toBe(before)
  await authority.write('a', second)
  await until(() => served.lines.some(({ event }) => event === 'certificate.renewed'))
  expect(await serialOf(port, authority.ca)).not.toBe(before)
})

test('files that cannot be read or do not belong together are refused with both names', async () => {
  await using authority = await createAuthority()
  const [first, second] = [await authority.issue('localhost'), await authority.issue('localhost')]
  const mixed = await authority.write('mixed', { cert: first.cert, key: second.key })
  expect(() => readCertificate(mixed)).toThrow(mixed.certFile)
  expect(() => readCertificate(mixed)).toThrow(mixed.keyFile)
  expect(() => readCertificate({ ...mixed, keyFile: '/none/key.pem' })).toThrow('ENOENT')
  const stop = followCertificate(mixed, () => expect.unreachable(), log)
  stop()
})

test.for([
  ['sends nothing', ''],
  ['stops in its handshake', '\x16\x03\x01\x02\x00\x01'],
  ['sends no TLS', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
])('a connection that %s is closed at the end of the time of a handshake', async ([, bytes]) => {
  await using authority = await createAuthority()
  const files = await authority.write('a', await authority.issue('localhost'))
  const server = createHttpServer({
    serve: () => expect.unreachable(),
    response: ServerResponse,
    keepAliveTimeoutMs: 75_000,
    certificate: readCertificate(files),
    handshakeTimeoutMs: 50,
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connectTcp(Number(new URL(urlOf(server.address())).port), '127.0.0.1')
  client.on('error', () => undefined).resume()
  await once(client, 'connect')
  client.write(bytes ?? '')
  await once(client, 'close')
  server.close()
  await once(server, 'close')
})
