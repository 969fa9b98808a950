import { type Check, get, message, ORIGIN, REFUSALS, targetIs } from '../check.ts'

const BAD = [400] as const
/** The servers refuse some of these before a rule of ours applies. */
const REFUSED: readonly (readonly [name: string, target: string])[] = [
  ['a dot segment', '/api/auth/./{id}'],
  ['two dots', '/api/auth/x/../{id}'],
  ['two dots that leave the service', '/api/auth/../payments/{id}'],
  ['two dots at the end', '/api/auth/{id}/..'],
  ['escaped dots', '/api/auth/%2e%2e/payments/{id}'],
  ['one escaped dot of two', '/api/auth/.%2E/payments/{id}'],
  ['a dot segment that is escaped', '/api/auth/%2e/{id}'],
  ['two slashes', '/api/auth//{id}'],
  ['two slashes at the start', '//api/auth/{id}'],
  ['a host behind two slashes', '//evil.test/api/auth/{id}'],
  ['a backslash', '/api\\auth\\{id}'],
  ['dots behind a backslash', '/api\\..\\admin/{id}'],
  ['an escaped backslash', '/api/auth/%5c{id}'],
  ['an escaped backslash in capitals', '/api/auth/..%5C..%5Cadmin/{id}'],
  ['an escaped slash', '/api/auth/%2f{id}'],
  ['an escaped slash in capitals', '/api%2Fauth/{id}'],
  ['an escaped NUL', '/api/auth/{id}%00'],
  ['an escaped letter', '/api/%61uth/{id}'],
  ['an escaped letter of the last segment', '/api/auth/{id}%6d'],
  ['an escaped digit', '/api/auth/{id}%31'],
  ['an escaped tilde', '/api/auth/%7e{id}'],
  ['an escape that is cut', '/api/auth/{id}%'],
  ['an escape that is no number', '/api/auth/{id}%zz'],
  ['an escape of UTF-16', '/api/auth/{id}%u002f'],
  ['an escaped line end', '/api/auth/{id}%0d%0aX-Injected:%20yes'],
]

const MALFORMED: readonly (readonly [name: string, target: string])[] = [
  ['NUL', '/api/auth/{id}\u0000'],
  ['a bare carriage return', '/api/auth/{id}\rX-Injected:yes'],
  ['a bare line feed', '/api/auth/{id}\nX-Injected: yes'],
  ['a space', '/api/auth/{id} /metrics'],
  ['a tab', '/api/auth/{id}\tx'],
  ['a delete character', '/api/auth/{id}\u007f'],
  ['bytes above ASCII', '/api/auth/{id}\u00c3\u00a9'],
  ['bytes of an overlong slash', '/api/auth/{id}\u00c0\u00af'],
  ['a fragment', '/api/auth/{id}#x'],
  ['angle brackets', '/api/auth/{id}<script>'],
  ['no slash at the start', 'api/auth/{id}'],
  ['an authority', 'localhost:8080'],
  ['an asterisk of GET', '*'],
  ['17 KB', `/api/auth/{id}?${'a'.repeat(17_000)}`],
  ['1 MB', `/api/auth/{id}?${'a'.repeat(1_000_000)}`],
]

const PRIVATE = [
  '/metrics',
  '/metrics?a=b',
  '/%6detrics',
  '//metrics',
  '/./metrics',
  '/x/../metrics',
  '/x/%2e%2e/metrics',
  '/metrics%2f',
  '/metrics/',
  '/metrics/?a=b',
  '/metrics//',
  '/metrics/.',
  '/METRICS',
  '/Metrics/',
  '/%4dETRICS',
  '/metric%73',
  '/livez/',
  '/HEALTH',
  '/livez',
  '/readyz',
  '/health',
  '/readyz?a=b',
  '/..//readyz',
]

function isPrivate(url: string): boolean {
  const path = URL.parse(url.replaceAll('\\', '/'), 'http://a')?.pathname.replaceAll(/\/+/g, '/')
  return /^\/(metrics|livez|readyz|health)\/?$/i.test(decodeURI(path ?? ''))
}

function sentHost({ headers }: { headers: readonly (readonly [string, string])[] }) {
  const host = headers.find(([name]) => /^host$/i.test(name))?.[1]
  const forwarded = headers.find(([name]) => /^x-forwarded-host$/i.test(name))?.[1]
  return host?.includes('evil') !== forwarded?.includes('evil')
    ? `Host is ${host} and X-Forwarded-Host is ${forwarded}`
    : undefined
}

/** Attacks on the request target (RFC 9112 3.2, RFC 3986). */
export const targetChecks: readonly Check[] = [
  ...REFUSED.map(([name, target]): Check => ({
    name: `path: ${name} is refused by a 400`,
    request: get(target, ['X-Attack: {id}']),
    refused: BAD,
  })),
  ...MALFORMED.map(([name, target]): Check => ({
    name: `target: ${name} is refused`,
    request: get(target, ['X-Attack: {id}']),
    refused: REFUSALS,
  })),
  ...PRIVATE.map((target): Check => ({
    name: `private path: ${target} does not reach an instance's own`,
    request: get(target, ['X-Attack: {id}']),
    refused: REFUSALS,
    forwarded: ({ url }) => (isPrivate(url) ? `${url} was forwarded` : undefined),
  })),
  {
    name: 'query: it is forwarded unchanged',
    request: get('/api/auth/{id}?a=//../%2f&b=%00&c=%6d'),
    forwarded: targetIs('/api/auth/{id}?a=//../%2f&b=%00&c=%6d'),
    refused: BAD,
  },
  {
    name: 'target: an address of this host in the request line',
    request: get('http://localhost:8080/api/auth/{id}'),
    refused: REFUSALS,
    forwarded: targetIs('/api/auth/{id}'),
  },
  {
    name: 'target: an address of another protocol in the request line',
    request: get('ftp://localhost/api/auth/{id}'),
    refused: REFUSALS,
    forwarded: targetIs('/api/auth/{id}'),
  },
  {
    name: 'target: an address with a user in the request line',
    request: get('http://user@localhost:8080/api/auth/{id}'),
    refused: REFUSALS,
    forwarded: targetIs('/api/auth/{id}'),
  },
  {
    name: 'target: an address of another host in the request line sets no second host',
    request: get('http://evil.test/api/auth/{id}'),
    refused: REFUSALS,
    forwarded: sentHost,
  },
  {
    name: 'target: OPTIONS * is not forwarded as a path',
    request: message('OPTIONS *', ['Connection: close', 'X-Attack: {id}']),
    refused: REFUSALS,
    forwarded: ({ url }) => (url === '*' ? undefined : `the target is ${url}`),
  },
  {
    name: 'host: two different ones are refused',
    request: get('/api/auth/{id}', ['Host: evil.test']),
    refused: REFUSALS,
  },
  {
    name: 'host: a missing one is refused',
    request: `GET /api/auth/{id} HTTP/1.1\r\nOrigin: ${ORIGIN}\r\nConnection: close\r\n\r\n`,
    refused: REFUSALS,
  },
  ...['a b', 'a/b', 'a@b', 'a,b', 'a\u0000b', 'a:99999', '[::1', 'a?b'].map((host): Check => ({
    name: `host: ${JSON.stringify(host)} is refused, or forwarded as it is`,
    request: get('/api/auth/{id}').replace('Host: localhost:8080', `Host: ${host}`),
    refused: REFUSALS,
    forwarded: ({ headers }) =>
      headers.some(([name, value]) => /^host$/i.test(name) && value === host)
        ? undefined
        : 'Host was changed',
  })),
]
