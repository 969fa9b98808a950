import { bodyIs, type Check, fine, get, message, PATH, post, REFUSALS, SMUGGLED } from '../check.ts'

/** Not this header to a server that unfolds lines or drops names: the length alone frames the body. */
const NO_ENCODING = new Set([
  'on the folded line of another header',
  'with a byte above ASCII in the name',
])

// Each spelling of `Transfer-Encoding: chunked` that one server reads and another does not.
const SPELLINGS = [
  ['as it is', 'Transfer-Encoding: chunked'],
  ['with a space before the colon', 'Transfer-Encoding : chunked'],
  ['with a tab before the colon', 'Transfer-Encoding\t: chunked'],
  ['with a tab after the colon', 'Transfer-Encoding:\tchunked'],
  ['folded', 'Transfer-Encoding:\r\n chunked'],
  ['on the folded line of another header', 'X-A: b\r\n Transfer-Encoding: chunked'],
  ['with a vertical tab', 'Transfer-Encoding:\u000bchunked'],
  ['with a form feed behind', 'Transfer-Encoding: chunked\u000c'],
  ['with NUL behind', 'Transfer-Encoding: chunked\u0000'],
  ['with a control character in the name', 'Transfer-Encoding\u0001: chunked'],
  ['with a byte above ASCII in the name', 'Transfer-Encoding\u00ff: chunked'],
  ['in quotes', 'Transfer-Encoding: "chunked"'],
  ['misspelt', 'Transfer-Encoding: xchunked'],
  ['with a parameter', 'Transfer-Encoding: chunked;q=1'],
  ['before identity', 'Transfer-Encoding: chunked, identity'],
  ['after identity', 'Transfer-Encoding: identity, chunked'],
  ['after gzip', 'Transfer-Encoding: gzip, chunked'],
  ['twice in one header', 'Transfer-Encoding: chunked, chunked'],
  ['twice in two headers', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'],
  ['and identity in two headers', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity'],
  ['after identity in two headers', 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked'],
  ['after a bare line feed', 'X-A: b\nTransfer-Encoding: chunked'],
  ['after a bare carriage return', 'X-A: b\rTransfer-Encoding: chunked'],
  ['after a comma', 'Transfer-Encoding: ,chunked'],
  ['empty', 'Transfer-Encoding:'],
] as const

function encodings(): Check[] {
  return SPELLINGS.flatMap(([spelling, line]) => [
    {
      name: `CL.TE: chunked ${spelling}, and a length that includes a second request`,
      request: post(
        [`Content-Length: ${SMUGGLED.length + 9}`, line],
        `0\r\n\r\n${SMUGGLED.replace('{id}', '{id}-cl')}`,
      ),
      refused: REFUSALS,
      forwarded: fine,
    },
    ...(NO_ENCODING.has(spelling)
      ? []
      : [
          {
            name: `TE.CL: chunked ${spelling}, and a length that ends in the first chunk`,
            request: post(
              ['Content-Length: 4', line],
              `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
            ),
            refused: REFUSALS,
            forwarded: fine,
          },
        ]),
  ])
}

const LENGTHS: readonly (readonly [spelling: string, lines: string, allowed?: 'forwarded'])[] = [
  ['two different ones', 'Content-Length: 3\r\nContent-Length: 60'],
  ['two different ones in reverse order', 'Content-Length: 60\r\nContent-Length: 3'],
  ['two equal ones', 'Content-Length: 3\r\nContent-Length: 3', 'forwarded'],
  ['a list of equal ones', 'Content-Length: 3, 3', 'forwarded'],
  ['a list of different ones', 'Content-Length: 3, 60'],
  ['a plus sign', 'Content-Length: +3'],
  ['a minus sign', 'Content-Length: -3'],
  ['hexadecimal digits', 'Content-Length: 0x3'],
  ['an exponent', 'Content-Length: 3e0'],
  ['a fraction', 'Content-Length: 3.0'],
  ['leading zeros', 'Content-Length: 0003', 'forwarded'],
  ['a space between digits', 'Content-Length: 3 0'],
  ['a space before the colon', 'Content-Length : 3'],
  ['a number above 64 bits', 'Content-Length: 18446744073709551619'],
  ['no value', 'Content-Length:'],
  ['a folded value', 'Content-Length: 3\r\n 0'],
  ['NUL behind', 'Content-Length: 3\u0000'],
  ['a vertical tab', 'Content-Length:\u000b3'],
  ['a second one after a bare line feed', 'Content-Length: 3\nContent-Length: 60'],
  ['a second one after a bare carriage return', 'Content-Length: 3\rContent-Length: 60'],
]

function lengths(): Check[] {
  return LENGTHS.map(([spelling, lines, allowed]) => ({
    name: `Content-Length: ${spelling}`,
    request: post([lines, 'Connection: close'], `abc${SMUGGLED}`),
    refused: REFUSALS,
    ...(allowed && { forwarded: bodyIs('abc') }),
  }))
}

const CHUNKS: readonly (readonly [spelling: string, body: string, allowed?: string])[] = [
  ['an extension', '3;a=b\r\nabc\r\n0\r\n\r\n', 'abc'],
  ['an extension in quotes', '3;a="b;c"\r\nabc\r\n0\r\n\r\n', 'abc'],
  ['a line feed in an extension', `3;a\nabc\r\n0\r\n\r\n${SMUGGLED}`],
  ['a line feed behind a size', '3\nabc\r\n0\r\n\r\n'],
  ['a line feed behind data', '3\r\nabc\n0\r\n\r\n'],
  ['a bare carriage return in an extension', '3;a\rb\r\nabc\r\n0\r\n\r\n'],
  ['a hexadecimal prefix', '0x3\r\nabc\r\n0\r\n\r\n'],
  ['a plus sign', '+3\r\nabc\r\n0\r\n\r\n'],
  ['a minus sign', '-3\r\nabc\r\n0\r\n\r\n'],
  ['a space before the size', ' 3\r\nabc\r\n0\r\n\r\n'],
  ['a size that is no number', 'g\r\nabc\r\n0\r\n\r\n'],
  ['a size above 64 bits', 'fffffffffffffffffff\r\nabc\r\n0\r\n\r\n'],
  ['a size that overflows to three', '10000000000000003\r\nabc\r\n0\r\n\r\n'],
  ['no line end behind data', `3\r\nabcXX0\r\n\r\n${SMUGGLED}`],
  ['an empty size', '\r\nabc\r\n0\r\n\r\n'],
  ['an extension of 100 KB', `3;${'a'.repeat(100_000)}\r\nabc\r\n0\r\n\r\n`, 'abc'],
  [
    '10,000 extensions in chunks of a byte',
    `${'1;aaaaaa\r\na\r\n'.repeat(10_000)}0\r\n\r\n`,
    'a'.repeat(10_000),
  ],
  ['an identity in the trailer', '3\r\nabc\r\n0\r\nX-Identity: forged\r\n\r\n', 'abc'],
  ['a trailer of 1 MB', `3\r\nabc\r\n0\r\nX-A: ${'a'.repeat(1_000_000)}\r\n\r\n`, 'abc'],
]

function chunks(): Check[] {
  return CHUNKS.map(([spelling, body, allowed]) => ({
    name: `chunked body: ${spelling}`,
    request: post(['Transfer-Encoding: chunked', 'Connection: close'], body),
    refused: REFUSALS,
    ...(allowed !== undefined && { forwarded: trailed(allowed) }),
  }))
}

function trailed(body: string): NonNullable<Check['forwarded']> {
  // An upstream that refuses the trailer refuses the whole request.
  return (seen) =>
    (seen.body === '' ? undefined : bodyIs(body)(seen)) ??
    (seen.headers.some(([, value]) => value === 'forged') ? 'a trailer became a header' : undefined)
}

/** Attacks on the framing of requests (RFC 9112 6, 7, 11.2). */
export const framingChecks: readonly Check[] = [
  ...encodings(),
  ...lengths(),
  ...chunks(),
  {
    name: 'chunked body: a length in the trailer changes no other request',
    request: post(
      ['Transfer-Encoding: chunked', 'Connection: close'],
      `3\r\nabc\r\n0\r\nContent-Length: 60\r\n\r\n${SMUGGLED}`,
    ),
    refused: REFUSALS,
    forwarded: fine,
  },
  {
    name: 'a body of GET is not read as a second request',
    request: message(
      `GET ${PATH}`,
      [`Content-Length: ${SMUGGLED.length + 2}`, 'Connection: close'],
      SMUGGLED,
    ),
    refused: REFUSALS,
    forwarded: fine,
  },
  {
    name: 'chunked over HTTP/1.0 is not read as a second request',
    request: post(
      ['Content-Length: 3', 'Transfer-Encoding: chunked'],
      `0\r\n\r\n${SMUGGLED}`,
    ).replace('HTTP/1.1', 'HTTP/1.0'),
    refused: REFUSALS,
    forwarded: fine,
  },
  {
    name: 'a request behind Connection: close is not forwarded',
    request: `${get(PATH)}${SMUGGLED}`,
    refused: REFUSALS,
    forwarded: fine,
  },
  {
    name: 'an upgrade to h2c is not passed on',
    request: message(`GET ${PATH}`, [
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
    ]),
    refused: REFUSALS,
    forwarded: ({ headers }) =>
      headers.some(([name, value]) => /^upgrade$/i.test(name) && /h2c/.test(value))
        ? 'Upgrade: h2c was forwarded'
        : undefined,
  },
  {
    name: 'pipelined requests are forwarded one by one and answered in order',
    request: `${message(`GET ${PATH}-a`, [])}${get(`${PATH}-b`)}`,
    refused: REFUSALS,
    forwarded: fine,
    forwards: 2,
  },
]
