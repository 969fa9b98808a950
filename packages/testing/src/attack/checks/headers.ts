import { bodyIs, type Check, get, lacks, message, PATH, post, REFUSALS } from '../check.ts'

const FORGED = 'forged-by-the-client'

/** Headers with which a client claims an address, for fronts of both kinds. */
const ADDRESSES = [
  'X-Forwarded-For',
  'x-forwarded-for',
  'X_Forwarded_For',
  'X-Forwarded_For',
  'Forwarded',
  'X-Real-IP',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'X-Forwarded-Port',
  'X-Forwarded-Server',
  'X-Forwarded-Prefix',
  'X-Forwarded-Ssl',
]

/** Headers that only the gateway may write. */
const OURS = [
  'X-Identity',
  'x-identity',
  'X-IDENTITY',
  'X_Identity',
  'x_identity',
  'X-Client-Ip',
  'X_Client_Ip',
  'X-Request-Deadline',
  'X_Request_Deadline',
]

function absent(name: string, front?: Check['front']): Check {
  return {
    name: `header: ${name} of a client reaches no upstream`,
    request: get(PATH, [`${name}: ${FORGED}`]),
    refused: REFUSALS,
    forwarded: lacks(name, FORGED),
    ...(front && { front }),
  }
}

function has(name: string): NonNullable<Check['forwarded']> {
  return ({ headers }) =>
    headers.some(([each]) => each.toLowerCase() === name) ? undefined : `${name} is missing`
}

/** Attacks by header fields. */
export const headerChecks: readonly Check[] = [
  ...ADDRESSES.map((name) => absent(name)),
  ...OURS.map((name) => absent(name, 'gateway')),
  {
    name: 'header: an identity that is sent twice reaches no upstream',
    request: get(PATH, [`X-Identity: ${FORGED}`, `X-Identity: ${FORGED}`]),
    refused: REFUSALS,
    forwarded: lacks('x-identity', FORGED),
    front: 'gateway',
  },
  ...['x-forwarded-for', 'host', 'x-forwarded-proto'].map((name): Check => ({
    name: `header: Connection: ${name} does not remove it`,
    request: get(PATH).replace('Connection: close', `Connection: close, ${name}`),
    refused: REFUSALS,
    forwarded: has(name),
  })),
  {
    name: 'header: Connection: content-length does not remove the length of a body',
    request: post(['Content-Length: 3', 'Connection: close, content-length'], 'abc'),
    refused: REFUSALS,
    forwarded: bodyIs('abc'),
  },
  ...['Keep-Alive', 'Proxy-Connection', 'TE', 'Upgrade'].map((name): Check => ({
    name: `header: ${name} is for one connection, and is not forwarded`,
    request: get(PATH, [`${name}: ${FORGED}`]),
    refused: REFUSALS,
    forwarded: lacks(name, FORGED),
  })),
  {
    name: 'header: a name in Connection is not forwarded',
    request: get(PATH, [`X-Hop: ${FORGED}`]).replace(
      'Connection: close',
      'Connection: close, X-Hop',
    ),
    refused: REFUSALS,
    forwarded: lacks('x-hop', FORGED),
    except: {
      haproxy: 'it is an ordinary header for HAProxy, which removes Connection',
      nginx: 'it is an ordinary header for nginx, which removes Connection',
    },
  },
  {
    name: 'header: an id of a request with other characters is replaced',
    request: get(PATH, ['X-Request-Id: a b"<script>\\n']),
    refused: REFUSALS,
    forwarded: lacks('x-request-id', '<script>'),
    front: 'gateway',
  },
  {
    name: 'header: an id of a request of 1,000 characters is replaced',
    request: get(PATH, [`X-Request-Id: ${'a'.repeat(1_000)}`]),
    refused: REFUSALS,
    forwarded: lacks('x-request-id', 'a'.repeat(1_000)),
    front: 'gateway',
  },
  {
    name: 'header: a malformed traceparent is replaced',
    request: get(PATH, ['Traceparent: 00-00000000000000000000000000000000-0000000000000000-01']),
    refused: REFUSALS,
    forwarded: lacks('traceparent', '00000000000000000000000000000000'),
    front: 'gateway',
  },
  {
    name: 'log: a path with a line of JSON adds no line to the log',
    request: get('/api/auth/{id}%0A%7B%22event%22:%22forged%22%7D'),
    refused: REFUSALS,
    forwarded: () => undefined,
  },
  {
    name: 'log: a user agent with a line of JSON adds no line to the log',
    request: get(PATH, [
      'User-Agent: "}\\n{"event":"forged"}\u001b[31m'.replace('\u001b', '\u009b'),
    ]),
    refused: REFUSALS,
    forwarded: () => undefined,
  },
  {
    name: 'limits: 5,000 headers are refused',
    request: get(
      PATH,
      Array.from({ length: 5_000 }, (_, i) => `X-${i}: a`),
    ),
    refused: REFUSALS,
  },
  {
    name: 'limits: a header of 200 KB is refused',
    request: get(PATH, [`X-A: ${'a'.repeat(200_000)}`]),
    refused: REFUSALS,
  },
  {
    name: 'limits: a name of 200 KB is refused',
    request: get(PATH, [`${'a'.repeat(200_000)}: x`]),
    refused: REFUSALS,
  },
  {
    name: 'limits: a cookie of 200 KB is refused',
    request: get(PATH, [`Cookie: ${'a=b; '.repeat(40_000)}`]),
    refused: REFUSALS,
  },
  {
    name: 'limits: 500 cookies in 500 headers are refused or forwarded once',
    request: get(
      PATH,
      Array.from({ length: 500 }, (_, i) => `Cookie: c${i}=a`),
    ),
    refused: REFUSALS,
    forwarded: () => undefined,
  },
  {
    name: 'cache: a forwarded host of a client is in no response',
    request: get(PATH, [
      'X-Forwarded-Host: evil.test',
      'X-Original-URL: /evil',
      'X-Host: evil.test',
    ]),
    refused: REFUSALS,
    forwarded: lacks('x-forwarded-host', 'evil.test'),
    answered: (_, raw) => (raw.includes('evil.test') ? 'evil.test is in the response' : undefined),
  },
  {
    name: 'method: a body of TRACE is refused',
    request: message(`TRACE ${PATH}`, ['Content-Length: 3', 'Connection: close'], 'abc'),
    refused: [400, 405, 501],
  },
]
