import { bodyIs, type Check, message, PATH, post, REFUSALS } from '../check.ts'

const MIB = 1024 ** 2
const BIG = 'a'.repeat(3 * MIB)
const DEPTH = 20_000

function json(method: string, path: string, body: string): string {
  return message(
    `${method} ${path}`,
    [
      'Content-Type: application/json',
      'Cookie: {cookie}',
      'Connection: close',
      'X-Attack: {id}',
      `Content-Length: ${Buffer.byteLength(body, 'latin1')}`,
    ],
    body,
  )
}

const HOSTILE: readonly (readonly [name: string, body: string])[] = [
  ['__proto__', '{"__proto__":{"role":"admin","polluted":true}}'],
  ['constructor.prototype', '{"constructor":{"prototype":{"polluted":true}}}'],
  ['20,000 levels of arrays', '['.repeat(DEPTH) + ']'.repeat(DEPTH)],
  ['20,000 levels of objects', `${'{"a":'.repeat(DEPTH)}1${'}'.repeat(DEPTH)}`],
  ['NUL', '{"a":"\u0000"}'],
  ['a lone surrogate', '{"payments":"\\ud800"}'],
  ['bytes that are not UTF-8', '{"payments":"\u00ff\u00fe"}'],
  ['two equal keys', '{"payments":"open","payments":"\'; drop table"}'],
  ['a number above double precision', '{"payments":1e999}'],
  ['no end', '{"payments":'],
  ['nothing', ''],
]

/** Attacks by bodies. */
export const bodyChecks: readonly Check[] = [
  {
    name: 'body: a declared length over the limit is refused before the body is read',
    request: post(['Content-Length: 3145728', 'Connection: close'], ''),
    refused: [413],
    front: 'gateway',
  },
  {
    name: 'body: a length of 2^63 is refused before the body is read',
    request: post(['Content-Length: 9223372036854775807', 'Connection: close'], ''),
    refused: [400, 413],
    front: 'gateway',
  },
  {
    name: 'body: more than the limit in one chunk is not forwarded whole',
    request: post(
      ['Transfer-Encoding: chunked', 'Connection: close'],
      `${BIG.length.toString(16)}\r\n${BIG}\r\n0\r\n\r\n`,
    ),
    refused: [413],
    forwarded: ({ body }) => (body === '' ? undefined : `${body.length} bytes were forwarded`),
    answered: (responses) =>
      responses.some(({ status }) => status < 400) ? 'the client received success' : undefined,
    front: 'gateway',
  },
  {
    name: 'body: a body that ends early is not forwarded as complete',
    request: post(['Content-Length: 100'], 'abc'),
    refused: REFUSALS,
    forwarded: ({ body }) => (body === '' ? undefined : 'a part was forwarded as complete'),
  },
  {
    name: 'body: bytes behind a body are not forwarded',
    request: post(['Content-Length: 3', 'Connection: close'], 'abcdef'),
    refused: REFUSALS,
    forwarded: bodyIs('abc'),
  },
  ...HOSTILE.map(([name, body]): Check => ({
    name: `JSON: ${name} is refused by the gateway's own routes`,
    request: json('PUT', '/api/settings/payments', body),
    refused: [400, 403, 404, 405, 413, 415, 422],
    front: 'gateway',
  })),
  ...HOSTILE.slice(0, 4).map(([name, body]): Check => ({
    name: `JSON: ${name} is forwarded byte by byte, or refused`,
    request: json('POST', '/api/payments?{id}', body),
    refused: REFUSALS,
    forwarded: bodyIs(body),
    front: 'gateway',
  })),
  {
    name: 'body: a form of another site is refused',
    request: message(
      `POST ${PATH}`,
      ['Content-Type: text/plain', 'Content-Length: 3', 'Connection: close'],
      'a=b',
    ).replace('Origin: http://localhost:8080', 'Origin: http://evil.test'),
    refused: [403],
    front: 'gateway',
  },
]
