import { expect, test, until } from '@repo/testing'
import { ask, serve, talk } from '../http.fixture.ts'
import type { Listener } from './server.ts'

const bodies: Record<string, [listener: Listener, bytes: number]> = {
  'one string': [(_req, res) => res.end('äöü'), 6],
  'one string in latin1': [(_req, res) => res.end('äöü', 'latin1'), 3],
  'a buffer with a callback': [
    (_req, res) => res.end(Buffer.alloc(70_000), () => undefined),
    70_000,
  ],
  'no body': [(_req, res) => res.end(), 0],
  'chunks and an end': [
    (_req, res) => {
      res.write('ab')
      res.write(Buffer.from('cd'), () => undefined)
      res.write('ff', 'hex')
      res.end('e')
    },
    6,
  ],
  'a status without a body': [(_req, res) => res.writeHead(304).end('ignored'), 0],
}

test.for(Object.entries(bodies))(
  'the line of a response with %s has the bytes of its body and the span of the request',
  async ([, [listener, bytes]]) => {
    let traceparent = ''
    await using server = await serve((req, res) => {
      traceparent = String(req.headers['traceparent'])
      return listener(req, res)
    })
    const { body } = await ask(server.url)
    await until(() => server.lines.length > 0)
    const [line] = server.lines
    expect(line).toMatchObject({ event: 'request', bytes })
    expect(line?.['span']).toBe(traceparent.split('-')[2])
    if (!body.includes('\ufffd')) expect(Buffer.byteLength(body)).toBe(bytes)
  },
)

test('the line of a response to HEAD has 0 bytes', async () => {
  await using server = await serve((_req, res) => res.end('ignored'))
  await ask(server.url, { method: 'HEAD' })
  await until(() => server.lines.length > 0)
  expect(server.lines).toMatchObject([{ status: 200, bytes: 0 }])
})

const request = (bytes: number, header = '') => `GET /${bytes} HTTP/1.1\r\nHost: a\r\n${header}\r\n`

test('each of three requests in one write to a connection has the bytes of its response', async () => {
  await using server = await serve((req, res) => res.end('x'.repeat(Number(req.url?.slice(1)))))
  await talk(server.url, request(10) + request(2_000) + request(30, 'Connection: close\r\n'))
  await until(() => server.lines.length === 3)
  const sizes = server.lines.map(({ path, bytes }) => `${String(path)} ${String(bytes)}`)
  expect(sizes.toSorted()).toEqual(['/10 10', '/2000 2000', '/30 30'])
})

test('an upgraded connection has the bytes that it was sent in its line', async () => {
  const sent = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: a\r\n\r\nhello'
  await using server = await serve(() => undefined, undefined, undefined, {
    accepts: () => true,
    serve(_req, res, socket) {
      res.statusCode = 101
      socket.end(sent)
    },
    end: () => undefined,
  })
  const head = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: a\r\n\r\n'
  expect(await talk(server.url, head)).toBe(sent)
  await until(() => server.lines.length > 0)
  expect(server.lines).toMatchObject([{ status: 101, bytes: sent.length }])
})
