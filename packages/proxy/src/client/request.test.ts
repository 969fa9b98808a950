import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { type ClientRequest, writeRequestHead } from './request.ts'

const GET: ClientRequest = { method: 'GET', path: '/', headers: ['Host', 'a'], body: null }
const write = (request: Partial<ClientRequest>) =>
  writeRequestHead({ ...GET, ...request }, 'origin:1')

/** The characters that end a line or have no place in a head, and those beyond Latin-1. */
const hostile = ['\r', '\n', '\r\n', '\0', '\u0001', '\u007f', '\u2713', '\u010d\u010a']

test('a request has its fields unchanged and in order, its host first, and a connection that stays', () => {
  const headers = ['X-A', 'b', 'Host', 'shop.example', 'x-a', '\u00c9t\u00e9 \t c', 'X-Empty', '']
  expect(write({ path: '/a?b=\u00e9', headers })).toEqual({
    text:
      'GET /a?b=\u00e9 HTTP/1.1\r\nHost: shop.example\r\nConnection: keep-alive\r\n' +
      'X-A: b\r\nx-a: \u00c9t\u00e9 \t c\r\nX-Empty: \r\n\r\n',
    bodyBytes: 0,
    isLast: false,
  })
  expect(write({ headers: [] }).text).toContain('\r\nHost: origin:1\r\n')
})

test.for(hostile)('%j in a method, a target, a name or a value is refused', (text) => {
  const refused = { code: 'invalid_request' }
  for (const request of [
    { method: `GET${text}` },
    { method: `GET / HTTP/1.1${text}X-A: b` },
    { path: `/${text}` },
    { path: `/a${text}GET /b` },
    { headers: [`X-A${text}`, 'b'] },
    { headers: [`X-A${text}X-B`, 'b'] },
    { headers: ['X-A', text] },
    { headers: ['X-A', `a${text}X-B: c`] },
    { headers: ['Host', `a${text}`] },
    { headers: ['Content-Length', `1${text}`] },
    { headers: ['Connection', `close${text}`] },
  ]) {
    expect(() => write(request), JSON.stringify(request)).toThrow(expect.objectContaining(refused))
  }
})

test.for<[string, Partial<ClientRequest>]>([
  ['an empty method', { method: '' }],
  ['a method with a space', { method: 'GET /a' }],
  ['an absolute target', { path: 'http://b/' }],
  ['an empty target', { path: '' }],
  ['a target with a space', { path: '/a HTTP/1.1' }],
  ['a target with a tab', { path: '/a\tb' }],
  ['an empty name', { headers: ['', 'b'] }],
  ['a name with a colon', { headers: ['X-A:', 'b'] }],
  ['a name with a space', { headers: ['X-A ', 'b'] }],
  ['half a field', { headers: ['X-A'] }],
  ['two hosts', { headers: ['Host', 'a', 'host', 'a'] }],
  ['two lengths', { method: 'POST', headers: ['Content-Length', '0', 'content-length', '0'] }],
  ['a length that is no number', { method: 'POST', headers: ['Content-Length', '1e1'] }],
  ['another length than the body', { body: Buffer.from('abc'), headers: ['Content-Length', '2'] }],
  ['a transfer coding', { headers: ['Transfer-Encoding', 'chunked'] }],
  ['an upgrade', { headers: ['Upgrade', 'h2c'] }],
  ['an expectation', { headers: ['Expect', '100-continue'] }],
  ['Keep-Alive', { headers: ['keep-alive', 'timeout=5'] }],
  ['a malformed Connection', { headers: ['Connection', 'a b'] }],
])('a request with %s is refused', ([, request]) => {
  expect(() => write(request)).toThrow(expect.objectContaining({ code: 'invalid_request' }))
})

const framingOf = (text: string) => text.match(/(content-length|transfer-encoding): .*/gi)

test('a body has exactly one framing, and a method without a defined body ends its connection', () => {
  const body = Buffer.from('abc')
  const length = ['Content-Length', '3']
  for (const headers of [[], length]) {
    const sent = write({ method: 'POST', headers, body })
    expect(framingOf(sent.text)).toEqual(['Content-Length: 3'])
    expect(sent).toMatchObject({ bodyBytes: 3, isLast: false })
  }
  const stream = Readable.from([])
  const chunks = write({ method: 'PUT', headers: [], body: stream })
  expect(framingOf(chunks.text)).toEqual(['Transfer-Encoding: chunked'])
  expect(chunks).toMatchObject({ bodyBytes: -1, isLast: false })
  const streamed = write({ method: 'PUT', headers: length, body: stream })
  expect(framingOf(streamed.text)).toEqual(['Content-Length: 3'])
  expect(framingOf(write({ method: 'POST', headers: [] }).text)).toEqual(['Content-Length: 0'])
  expect(framingOf(write({ headers: ['Content-Length', '0'] }).text)).toBeNull()
  expect(write({ headers: length, body })).toMatchObject({ isLast: true })
  expect(write({ method: 'DELETE', headers: [], body: stream })).toMatchObject({ isLast: true })
})

test('HEAD, Connection: close and an upgrade are the last request of their connection', () => {
  for (const request of [{ method: 'HEAD' }, { headers: ['Connection', 'a, Close'] }]) {
    const { text, isLast } = write(request)
    expect(isLast).toBe(true)
    expect(text.match(/connection: .*/gi)).toEqual(['Connection: close'])
  }
  const upgrade = write({ isUpgrade: true })
  expect(upgrade.isLast).toBe(true)
  expect(upgrade.text).toContain('\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n')
})
