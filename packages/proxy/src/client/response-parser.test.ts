import { expect, test } from 'vitest'
import { type Expectation, parse, parseText } from './parsed.fixture.ts'

const OK = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`
const UPGRADE = 'HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

const messages: [string, string, Expectation, object][] = [
  ['a length', `${OK}Content-Length: 5\r\n\r\nhello`, {}, { body: 'hello', isReusable: true }],
  ['no body', `${OK}Content-Length: 0\r\n\r\n`, {}, { body: '', isReusable: true }],
  ['no length', `${OK}\r\nhello`, { isEnded: true }, { body: 'hello', isReusable: false }],
  [
    'chunks',
    `${CHUNKED}3\r\nabc\r\n00000010\r\n0123456789abcdef\r\n0\r\n\r\n`,
    {},
    { body: 'abc0123456789abcdef', isReusable: true },
  ],
  [
    'extensions of chunks',
    `${CHUNKED}A;a=b;c\r\n0123456789\r\n0;x\r\n\r\n`,
    {},
    { body: '0123456789', isReusable: true },
  ],
  [
    'trailers',
    `${CHUNKED}2\r\nok\r\n0\r\nX-Sum: 1\r\nX-Other: \r\n\r\n`,
    {},
    { body: 'ok', rawHeaders: ['Transfer-Encoding', 'chunked'], isReusable: true },
  ],
  [
    'fields with spaces and Latin-1',
    `${OK}X-A:b\r\nx-a: \t c d \t\r\nX-Empty:\r\n\r\n`,
    { method: 'HEAD' },
    { rawHeaders: ['X-A', 'b', 'x-a', 'c d', 'X-Empty', ''], isReusable: true },
  ],
  [
    'a value of Latin-1',
    `${OK}X-A: \u00c9t\u00e9\r\nContent-Length: 0\r\n\r\n`,
    {},
    { rawHeaders: ['X-A', '\u00c9t\u00e9', 'Content-Length', '0'], isReusable: true },
  ],
  ['an empty reason', 'HTTP/1.1 204 \r\n\r\n', {}, { statusCode: 204, reason: '', body: '' }],
  [
    'a control character in the reason',
    'HTTP/1.1 204 a\u0001b\r\n\r\n',
    {},
    { reason: 'a\u0001b' },
  ],
  ['status 304 with a length', 'HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n', {}, { body: '' }],
  ['a length, to HEAD', `${OK}Content-Length: 9\r\n\r\n`, { method: 'HEAD' }, { body: '' }],
  ['chunks, to HEAD', CHUNKED, { method: 'HEAD' }, { body: '', isReusable: false }],
  [
    'status 204 with a length',
    'HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n',
    {},
    { isReusable: false },
  ],
  [
    'Connection: close',
    `${OK}Connection: a, Close\r\nContent-Length: 0\r\n\r\n`,
    {},
    { isReusable: false },
  ],
  [
    'HTTP/1.0',
    'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok',
    {},
    { isReusable: false, body: 'ok' },
  ],
  [
    'informational responses before it',
    `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 P\r\n\r\n${OK}Content-Length: 2\r\n\r\nok`,
    {},
    { informational: [103, 102], body: 'ok', isReusable: true },
  ],
]

test.for(messages)(
  'a response is read equally whole, in single bytes, and split at each place: %s',
  ([, text, expectation, expected]) => {
    const bytes = Buffer.from(text, 'latin1')
    const whole = parse([bytes], expectation)
    expect(whole).toMatchObject({ isComplete: true, error: undefined, ...expected })
    expect(
      parse(
        [...bytes].map((byte) => Buffer.from([byte])),
        expectation,
      ),
    ).toEqual(whole)
    for (let at = 1; at < bytes.length; at += 1) {
      expect(parse([bytes.subarray(0, at), bytes.subarray(at)], expectation)).toEqual(whole)
    }
  },
)

test('an accepted upgrade gives every byte after its head to the new protocol, split at each place', () => {
  const bytes = Buffer.from(`${UPGRADE}HTTP/1.1 200 frames`, 'latin1')
  for (let at = 1; at < bytes.length; at += 1) {
    const parts = [bytes.subarray(0, at), bytes.subarray(at)]
    expect(parse(parts, { isUpgrade: true })).toMatchObject({
      isUpgraded: true,
      statusCode: 101,
      rest: 'HTTP/1.1 200 frames',
      error: undefined,
    })
  }
})

const FIELD = 'Content-Length: 0\r\n\r\n'

test.for([
  ['no HTTP', 'SSH-2.0-OpenSSH_9.7\r\n\r\n'],
  ['a line before the status line', `\r\n${OK}${FIELD}`],
  ['HTTP/2.0', `HTTP/2.0 200 OK\r\n${FIELD}`],
  ['HTTP/1.2', `HTTP/1.2 200 OK\r\n${FIELD}`],
  ['HTTP/0.9', `HTTP/0.9 200 OK\r\n${FIELD}`],
  ['a version in lower case', `http/1.1 200 OK\r\n${FIELD}`],
  ['two spaces before the status', `HTTP/1.1  200 OK\r\n${FIELD}`],
  ['a tab before the status', `HTTP/1.1\t200 OK\r\n${FIELD}`],
  ['two digits', `HTTP/1.1 20 OK\r\n${FIELD}`],
  ['four digits', `HTTP/1.1 2000 OK\r\n${FIELD}`],
  ['a sign', `HTTP/1.1 +20 OK\r\n${FIELD}`],
  ['no space after the status', `HTTP/1.1 200\r\n${FIELD}`],
  ['a bare CR in the reason', `HTTP/1.1 200 O\rK\r\n${FIELD}`],
  ['a bare LF in the reason', `HTTP/1.1 200 O\nX-A: b\r\n${FIELD}`],
  ['a bare LF after the status line', `HTTP/1.1 200 OK\n${FIELD}`],
  ['bare LFs everywhere', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
  ['a bare LF after a field', `${OK}X-A: b\n${FIELD}`],
  ['a bare CR in a value', `${OK}X-A: b\rX-B: c\r\n${FIELD}`],
  ['CR CR LF', `${OK}X-A: b\r\r\n${FIELD}`],
  ['a folded line', `${OK}X-A: b\r\n c\r\n${FIELD}`],
  ['a line that begins with a space', `${OK} X-A: b\r\n${FIELD}`],
  ['a space before the colon', `${OK}X-A : b\r\n${FIELD}`],
  ['a space in a name', `${OK}X A: b\r\n${FIELD}`],
  ['an empty name', `${OK}: b\r\n${FIELD}`],
  ['a name of Latin-1', `${OK}X\u00e9: b\r\n${FIELD}`],
  ['NUL in a name', `${OK}X\u0000: b\r\n${FIELD}`],
  ['no colon', `${OK}X-A\r\n${FIELD}`],
  ['NUL in a value', `${OK}X-A: a\u0000b\r\n${FIELD}`],
  ['a control character in a value', `${OK}X-A: a\u001bb\r\n${FIELD}`],
  ['a delete character in a value', `${OK}X-A: a\u007fb\r\n${FIELD}`],
  ['two different lengths', `${OK}Content-Length: 3\r\n${FIELD}`],
  ['two equal lengths', `${OK}Content-Length: 0\r\n${FIELD}`],
  ['two lengths of another case', `${OK}content-length: 0\r\n${FIELD}`],
  ['a list of lengths', `${OK}Content-Length: 0, 0\r\n\r\n`],
  ['an empty length', `${OK}Content-Length:\r\n\r\n`],
  ['a negative length', `${OK}Content-Length: -1\r\n\r\n`],
  ['a length with a plus', `${OK}Content-Length: +1\r\n\r\n`],
  ['a space after a length', `${OK}Content-Length: 0 \r\n\r\n`],
  ['a tab after a coding', `${OK}Transfer-Encoding: chunked\t\r\n\r\n`],
  ['status 099', `HTTP/1.1 099 Low\r\n${FIELD}`],
  [
    'an informational response that closes the connection',
    'HTTP/1.1 103 E\r\nConnection: close\r\n\r\n',
  ],
  ['a hexadecimal length', `${OK}Content-Length: 0x1\r\n\r\n`],
  ['a length with a space', `${OK}Content-Length: 1 1\r\n\r\n`],
  ['a length of 20 digits', `${OK}Content-Length: 00000000000000000001\r\n\r\n`],
  ['a length and chunks', `${OK}Transfer-Encoding: chunked\r\n${FIELD}`],
  ['chunks and a length', `${OK}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ['another coding', `${OK}Transfer-Encoding: gzip\r\n\r\n`],
  ['two codings', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`],
  ['chunked twice', `${OK}Transfer-Encoding: chunked, chunked\r\n\r\n`],
  [
    'two fields of codings',
    `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
  ],
  ['identity', `${OK}Transfer-Encoding: identity\r\n\r\n`],
  ['a coding with a parameter', `${OK}Transfer-Encoding: chunked;a\r\n\r\n`],
  ['an empty coding', `${OK}Transfer-Encoding:\r\n\r\n`],
  ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['status 101 without a request', UPGRADE],
  ['an informational response with a length', `HTTP/1.1 103 E\r\n${FIELD}`],
  ['an informational response with chunks', 'HTTP/1.1 103 E\r\nTransfer-Encoding: chunked\r\n\r\n'],
])('a malformed head is refused, and no part of it counts: %s', ([, text = '']) => {
  const outcome = { isComplete: false, statusCode: 0, body: '', error: 'bad_response' }
  expect(parseText(text)).toMatchObject(outcome)
  const bytes = [...Buffer.from(text, 'latin1')].map((byte) => Buffer.from([byte]))
  expect(parse(bytes)).toMatchObject(outcome)
})

test.for([
  ['no number', 'zz\r\nok'],
  ['an empty size', '\r\nok'],
  ['a sign', '+2\r\nok'],
  ['a negative size', '-2\r\nok'],
  ['a prefix', '0x2\r\nok'],
  ['a space before the size', ' 2\r\nok'],
  ['a space after the size', '2 \r\nok'],
  ['nine digits', '000000002\r\nok'],
  ['a bare LF', '2\nok\r\n0\r\n\r\n'],
  ['a bare CR', '2\rok\r\n0\r\n\r\n'],
  ['CR CR LF', '2\r\r\nok\r\n0\r\n\r\n'],
  ['an extension with a control character', '2;a\u0001\r\nok\r\n0\r\n\r\n'],
  ['an extension with a bare LF', '2;a\nb\r\nok\r\n0\r\n\r\n'],
  ['an extension that is too long', `2;${'a'.repeat(300)}\r\nok\r\n0\r\n\r\n`],
  ['data that is too long', '2\r\nokay\r\n0\r\n\r\n'],
  ['data that is too long by one byte', '2\r\nok!\r\n0\r\n\r\n'],
  ['a bare LF after the data', '2\r\nok\n0\r\n\r\n'],
  ['a malformed trailer', '2\r\nok\r\n0\r\nX A: b\r\n\r\n'],
  ['a trailer with a control character', '2\r\nok\r\n0\r\nX-A: \u0001\r\n\r\n'],
  ['a trailer with a bare LF', '2\r\nok\r\n0\r\nX-A: b\n\r\n\r\n'],
  ['a folded trailer', '2\r\nok\r\n0\r\nX-A: b\r\n c\r\n\r\n'],
  ['a length in the trailers', '2\r\nok\r\n0\r\nContent-Length: 1\r\n\r\n'],
  ['a coding in the trailers', '2\r\nok\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['two lengths in the trailers', '2\r\nok\r\n0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
])('a body with a malformed chunk is never complete: %s', ([, text = '']) => {
  expect(parseText(CHUNKED + text)).toMatchObject({ isComplete: false, error: 'bad_response' })
  const bytes = [...Buffer.from(CHUNKED + text, 'latin1')].map((byte) => Buffer.from([byte]))
  expect(parse(bytes)).toMatchObject({ isComplete: false, error: 'bad_response' })
})

test.for([
  ['a head', `${OK}Content-Len`],
  ['a length', `${OK}Content-Length: 5\r\n\r\nhell`],
  ['a chunk', `${CHUNKED}5\r\nhell`],
  ['the end of a chunk', `${CHUNKED}5\r\nhello`],
  ['the last chunk', `${CHUNKED}5\r\nhello\r\n0\r\n`],
  ['nothing', ''],
])('a connection that ends within a response has no complete response: %s', ([, text = '']) => {
  expect(parseText(text, { isEnded: true })).toMatchObject({ isComplete: false, error: 'closed' })
})

const inParts = (text: string) => [
  Buffer.from(text.slice(0, 9_000)),
  Buffer.from(text.slice(9_000)),
]

test('a head of 16 KiB is read, and one more byte is refused, whole and in parts', () => {
  const frame = `${OK}X-A: \r\nContent-Length: 0\r\n\r\n`
  const headOf = (size: number) => frame.replace('X-A: ', `X-A: ${'a'.repeat(size - frame.length)}`)
  expect(parseText(headOf(16_384))).toMatchObject({ isComplete: true })
  expect(parse(inParts(headOf(16_384)))).toMatchObject({ isComplete: true })
  expect(parseText(headOf(16_385))).toMatchObject({ error: 'head_too_large', statusCode: 0 })
  expect(parse(inParts(headOf(16_385)))).toMatchObject({ error: 'head_too_large', statusCode: 0 })
  const trailers = `${CHUNKED}0\r\n${'X-A: b\r\n'.repeat(3_000)}\r\n`
  expect(parseText(trailers)).toMatchObject({ error: 'head_too_large', isComplete: false })
})

test.for([
  ['a second response', `${OK}${FIELD}`],
  ['a single line feed', '\n'],
  ['an empty line', '\r\n'],
  ['bytes that are no HTTP', 'x'],
])(
  'bytes after a complete response are an error, and never the next response: %s',
  ([, extra = '']) => {
    for (const first of [`${OK}Content-Length: 2\r\n\r\nok`, `${CHUNKED}2\r\nok\r\n0\r\n\r\n`]) {
      const expected = { isComplete: true, body: 'ok', error: 'bad_response' }
      expect(parseText(first + extra)).toMatchObject(expected)
      expect(parse([Buffer.from(first), Buffer.from(extra)])).toMatchObject(expected)
    }
  },
)

test('an informational response that no request expects is ignored', () => {
  for (const status of [100, 102, 103, 199]) {
    const text = `HTTP/1.1 ${status} X\r\n\r\n`.repeat(2) + OK + FIELD
    expect(parseText(text)).toMatchObject({ isComplete: true, statusCode: 200, isReusable: true })
  }
})
