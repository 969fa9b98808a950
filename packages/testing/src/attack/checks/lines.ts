import {
  type Check,
  type Fault,
  fine,
  get,
  lacks,
  message,
  ORIGIN,
  PATH,
  REFUSALS,
  SMUGGLED,
} from '../check.ts'
import type { Seen } from '../recorder.ts'

const BROKEN: readonly (readonly [name: string, request: string])[] = [
  ['lines that end with a line feed alone', `GET ${PATH} HTTP/1.1\nHost: localhost:8080\n\n`],
  ['a head that ends with a line feed alone', `GET ${PATH} HTTP/1.1\r\nHost: localhost:8080\n\n`],
  ['a bare carriage return in a value', get(PATH, ['X-A: b\rX-Injected: c'])],
  ['NUL in a value', get(PATH, ['X-A: b\u0000c'])],
  ['a control character in a value', get(PATH, ['X-A: b\u0001c'])],
  ['a delete character in a value', get(PATH, ['X-A: b\u007fc'])],
  ['a folded header', get(PATH, ['X-A: b\r\n\tX-Injected: c'])],
  ['a space before a colon', get(PATH, ['X-Identity : forged'])],
  ['a name with a space', get(PATH, ['X A: b'])],
  ['an empty name', get(PATH, [': b'])],
  ['a line without a colon', get(PATH, ['X-Identity'])],
  ['a space before the first header', `GET ${PATH} HTTP/1.1\r\n Host: localhost:8080\r\n\r\n`],
  ['a version without a number', message(`GET ${PATH}`, []).replace('HTTP/1.1', 'HTTP/')],
  ['an unknown version', message(`GET ${PATH}`, []).replace('HTTP/1.1', 'HTTP/9.9')],
  ['a version in small letters', message(`GET ${PATH}`, []).replace('HTTP/1.1', 'http/1.1')],
  ['another protocol', message(`GET ${PATH}`, []).replace('HTTP/1.1', 'ICE/1.0')],
  ['HTTP/0.9', `GET ${PATH}\r\n`],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a TLS handshake', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003'],
  ['a PROXY line', `PROXY TCP4 203.0.113.9 127.0.0.1 1 2\r\n${get(PATH)}`],
  ['a tab between the parts of the request line', get(PATH).replace('GET /', 'GET\t/')],
  ['words behind the version', get(PATH).replace('HTTP/1.1', 'HTTP/1.1 extra')],
  ['a method with a control character', get(PATH).replace('GET', 'G\u0001T')],
  ['a method of 10 KB', get(PATH).replace('GET', 'G'.repeat(10_000))],
]

// Some servers read these; the request that they forward must be a proper one.
const LENIENT = new Set([
  'lines that end with a line feed alone',
  'a head that ends with a line feed alone',
  'a folded header',
  'a line without a colon',
  'an unknown version',
  'a tab between the parts of the request line',
])

function isProper({ method, url, headers }: Seen): Fault {
  const isInjected = headers.some(
    ([name, value]) => /^x-(injected|identity)$/i.test(name) && value !== '',
  )
  if (isInjected) return 'a part of a line became a header'
  return method === 'GET' && /^\/api\/auth\/check-\d+$/.test(url) ? undefined : `${method} ${url}`
}

const METHODS = [
  ['TRACE', [405, 501, 400]],
  ['TRACK', [400, 404, 405, 501]],
  ['CONNECT', [400, 404, 405, 501]],
  ['FOO', [400, 404, 405, 501]],
  ['get', [400, 404, 405, 501]],
] as const

/** Attacks on the lines of a head (RFC 9112 2 to 5) and on methods. */
export const lineChecks: readonly Check[] = [
  ...BROKEN.map(([name, request]): Check => ({
    name: `head: ${name}`,
    request,
    refused: REFUSALS,
    ...(LENIENT.has(name) && { forwarded: isProper }),
  })),
  ...METHODS.map(([method, refused]): Check => ({
    name: `method: ${method}`,
    request: message(`${method} ${PATH}`, ['Connection: close', 'X-Attack: {id}']),
    refused,
  })),
  {
    name: 'method: CONNECT to an authority',
    request: 'CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\nX-Attack: {id}\r\n\r\n',
    refused: REFUSALS,
  },
  {
    name: 'method: an override by a header is not applied',
    request: get(PATH, ['X-HTTP-Method-Override: DELETE']),
    forwarded: ({ method }) => (method === 'GET' ? undefined : `the method is ${method}`),
    refused: REFUSALS,
  },
  {
    name: 'Expect: an unknown expectation is refused, or not forwarded',
    request: get(PATH, ['Expect: 200-maybe']),
    refused: [417],
    forwarded: lacks('expect', '200-maybe'),
  },
  {
    name: 'Expect: a body over the limit is refused before 100 is sent',
    request: message(`POST ${PATH}`, [
      'Content-Type: text/plain',
      'Content-Length: 50000000',
      'Expect: 100-continue',
      'Connection: close',
    ]),
    refused: [413],
    answered: (_, raw) =>
      raw.includes('HTTP/1.1 100') ? '100 was sent before the refusal' : undefined,
    except: {
      haproxy: 'it forwards Expect, so the gateway behind it refuses the body',
    },
    front: 'edge',
  },
  {
    name: 'Expect: a body over the limit is refused before 100 is sent, behind the gateway',
    request: message(`POST ${PATH}`, [
      'Content-Type: text/plain',
      'Content-Length: 50000000',
      'Expect: 100-continue',
      'Connection: close',
    ]),
    refused: [413],
    answered: (_, raw) =>
      raw.includes('HTTP/1.1 100') ? '100 was sent before the refusal' : undefined,
    front: 'gateway',
  },
  {
    name: 'head: empty lines before a request',
    request: `\r\n\r\n${get(PATH)}`,
    refused: REFUSALS,
    forwarded: fine,
  },
  {
    name: 'head: a second request behind a malformed one is not read',
    request: `GET ${PATH} HTTP/1.1\r\nHost: localhost:8080\r\nOrigin: ${ORIGIN}\r\nX A: b\r\n\r\n${SMUGGLED}`,
    refused: REFUSALS,
  },
]
