import { gzipSync } from 'node:zlib'
import { type Check, type Fault, fine, get, PATH } from '../check.ts'
import type { Response } from '../read-responses.ts'
import { SECRET_TEXT } from '../recorder.ts'

const OK = 'HTTP/1.1 200 OK\r\n'
const BOMB = gzipSync(Buffer.alloc(10_000_000)).toString('latin1')

/** The upstream's fault is a 502 of ours, or a connection that ends early. */
function gaveUp(responses: readonly Response[]): Fault {
  const [first] = responses
  if (!first) return undefined
  if (first.status >= 500) return undefined
  return first.isComplete ? `the client received a complete ${first.status}` : undefined
}

/** Either of them, or a response without the attack. */
function neutral(responses: readonly Response[]): Fault {
  if (responses.length > 1) return `${responses.length} responses`
  return undefined
}

const GIVES_UP: readonly (readonly [name: string, bytes: string])[] = [
  ['a status of two digits', 'HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['a status that is no number', 'HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok'],
  ['the status 000', 'HTTP/1.1 000 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['the status 999', 'HTTP/1.1 999 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['no HTTP', `${SECRET_TEXT}\r\n\r\n`],
  ['two different lengths', `${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!`],
  ['a negative length', `${OK}Content-Length: -2\r\n\r\nok`],
  ['a length that is no number', `${OK}Content-Length: 0x2\r\n\r\nok`],
  ['NUL in a header', `${OK}X-A: b\u0000c\r\nContent-Length: 2\r\n\r\nok`],
  [
    'a bare carriage return in a header',
    `${OK}X-A: b\rX-Injected: c\r\nContent-Length: 2\r\n\r\nok`,
  ],
  [
    'a bare carriage return in a cookie',
    `${OK}Set-Cookie: a=b\rX-Injected: c\r\nContent-Length: 2\r\n\r\nok`,
  ],
  ['a name with a space', `${OK}X A: b\r\nContent-Length: 2\r\n\r\nok`],
  ['a header of 1 MB', `${OK}X-A: ${'a'.repeat(1_000_000)}\r\nContent-Length: 2\r\n\r\nok`],
  ['100,000 headers', `${OK}${'X-A: b\r\n'.repeat(100_000)}Content-Length: 2\r\n\r\nok`],
  [
    'an upgrade that was not requested',
    'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nbytes',
  ],
  ['nothing', ''],
  ['half a head', `${OK}Content-Le`],
  ['a body that ends early', `${OK}Content-Length: 100\r\n\r\nok`],
  ['chunks that end early', `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n`],
  [
    'a chunk size that is no number',
    `${OK}Transfer-Encoding: chunked\r\n\r\nxyz\r\nok\r\n0\r\n\r\n`,
  ],
]

const PASSES: readonly (readonly [name: string, bytes: string])[] = [
  ['an unknown version', 'HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['an unknown transfer coding', `${OK}Transfer-Encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`],
  ['a control character in a header', `${OK}X-A: b\u0001c\r\nContent-Length: 2\r\n\r\nok`],
  ['a line without a colon', `${OK}broken\r\nContent-Length: 2\r\n\r\nok`],
  ['a reason with a control character', 'HTTP/1.1 200 O\u0001K\r\nContent-Length: 2\r\n\r\nok'],
  [
    'a reason with a bare carriage return',
    'HTTP/1.1 200 OK\rX-Injected: a\r\nContent-Length: 2\r\n\r\nok',
  ],
  [
    'both framings',
    `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
  ],
  [
    'a second response behind the first',
    `${OK}Content-Length: 2\r\n\r\nok${OK}X-Injected: a\r\nContent-Length: 0\r\n\r\n`,
  ],
  ['a body behind 204', 'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nX-Injected: a\r\n\r\n'],
  [
    'a body behind 304',
    'HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\nX-Injected: a\r\n\r\n',
  ],
  ['a folded header', `${OK}X-A: b\r\n c\r\nContent-Length: 2\r\n\r\nok`],
  ['lines that end with a line feed alone', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nok'],
  ['a trailer', `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nSet-Cookie: a=b\r\n\r\n`],
  [
    'an extension of a chunk',
    `${OK}Transfer-Encoding: chunked\r\n\r\n2;${'a'.repeat(5_000)}\r\nok\r\n0\r\n\r\n`,
  ],
  [
    '1,000 responses of 100',
    `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(1_000)}${OK}Content-Length: 2\r\n\r\nok`,
  ],
  [
    '1,000 responses of 103',
    `${'HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n'.repeat(1_000)}${OK}Content-Length: 2\r\n\r\nok`,
  ],
]

const HOP = `${OK}Connection: close, X-Hop\r\nX-Hop: a\r\nKeep-Alive: timeout=99999\r\nProxy-Connection: a\r\nContent-Length: 2\r\n\r\nok`

/** Attacks by an upstream. */
export const responseChecks: readonly Check[] = [
  ...GIVES_UP.map(([name, response]): Check => ({
    name: `response: ${name} is a failure of the upstream`,
    request: get(PATH),
    ...(name === 'no HTTP' && {
      except: { nginx: 'nginx reads it as HTTP/0.9; only our instances are behind it' },
    }),
    response,
    forwarded: fine,
    // A request that fails before a response can be sent to another instance.
    forwards: 5,
    answered: gaveUp,
  })),
  ...PASSES.map(([name, response]): Check => ({
    name: `response: ${name} adds nothing`,
    request: get(PATH),
    ...(name === 'a reason with a bare carriage return' && {
      except: { nginx: 'nginx forwards a reason as it is, and the gateway replaces it' },
    }),
    response,
    forwarded: fine,
    forwards: 5,
    answered: neutral,
  })),
  {
    name: 'response: a body behind HEAD is not forwarded',
    request: get(PATH).replace('GET', 'HEAD'),
    response: `${OK}Content-Length: 50\r\n\r\nHTTP/1.1 200 OK\r\nX-Injected: a\r\n\r\n`,
    forwarded: fine,
    forwards: 5,
  },
  {
    name: 'response: headers of one connection are not forwarded',
    request: get(PATH),
    response: HOP,
    forwarded: fine,
    answered: ([first]) =>
      first?.headers.some(([name, value]) => name === 'x-hop' || value === 'timeout=99999')
        ? 'the client received them'
        : undefined,
    except: {
      haproxy: 'HAProxy forwards such headers of an instance, and the gateway removes them',
      nginx: 'nginx forwards such headers of an instance, and the gateway removes them',
    },
  },
  {
    name: 'response: a gzip bomb is forwarded as it is',
    request: get(PATH, ['Accept-Encoding: gzip']),
    response: `${OK}Content-Encoding: gzip\r\nContent-Length: ${BOMB.length}\r\n\r\n${BOMB}`,
    forwarded: fine,
    forwards: 5,
    answered: ([first]) =>
      first && first.status < 500 && first.body !== BOMB ? 'the body was changed' : undefined,
  },
]
