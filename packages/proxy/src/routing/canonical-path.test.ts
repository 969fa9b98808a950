import { expect, test } from 'vitest'
import { findPathFault, pathRules } from './canonical-path.ts'

test('a path that another parser reads as another path is refused by the rule that it breaks', () => {
  const targets = {
    '': 'absolute',
    '*': 'absolute',
    'http://evil.test/api/me': 'absolute',
    '//api/me': 'empty-segment',
    '/api//me': 'empty-segment',
    '/api/me//': 'empty-segment',
    '/.': 'dot-segment',
    '/..': 'dot-segment',
    '/api/./me': 'dot-segment',
    '/api/../me': 'dot-segment',
    '/api/..?x': 'dot-segment',
    '/api\\..\\admin': 'backslash',
    '/\\evil.test': 'backslash',
    '/api/me\0': 'character',
    '/api/me\t': 'character',
    '/api/me\x7f': 'character',
    '/api/mé': 'character',
    '/api/ｍe': 'character',
    '/api/me#top': 'character',
    '/api/<me>': 'character',
    '/api/m e': 'character',
    '/api/{id}': 'character',
    '/api/me%': 'escape',
    '/api/me%2': 'escape',
    '/api/me%?2e': 'escape',
    '/api/%u0041': 'escape',
    '/api/%zz': 'escape',
    '/api/%2é': 'escape',
    '/api%2fme': 'escaped-separator',
    '/api/..%2Fme': 'escaped-separator',
    '/api/..%5cme': 'escaped-separator',
    '/api/me%00': 'escaped-control',
    '/api/me%0d%0aset-cookie:x': 'escaped-control',
    '/api/me%7f': 'escaped-control',
    '/api/%6de': 'escaped-unreserved',
    '/api/%4Delon': 'escaped-unreserved',
    '/api/%2e%2e/me': 'escaped-unreserved',
    '/api/.%2E/me': 'escaped-unreserved',
    '/api/%7Eme': 'escaped-unreserved',
    '/api/%39': 'escaped-unreserved',
  }
  const found = Object.keys(targets).map((target) => [target, findPathFault(target)])
  expect(Object.fromEntries(found)).toEqual(targets)
})

test('the paths of pages, scripts and resources are canonical, with any query', () => {
  for (const target of [
    '/',
    '/?_rsc=1a2b3c',
    '/api/me',
    '/api/payments/',
    '/api/payments/01890a5d-ac96-774b-bcce-b302099a8057?expand=all&q=a%2fb%6d\\..//',
    '/.well-known/openid-configuration',
    '/api/a..b/...',
    '/_next/static/chunks/app/%5Bid%5D/%40modal/(group)/page-0a1b.js?v=%7E',
    '/_next/static/chunks/[root-of-the-server]__0a1b._.js',
    '/_next/image?url=%2Fa%2Fb.png&w=64',
    '/users/caf%C3%A9%20bar%25',
    "/a-b_c.d~e!f$g&h'i(j)k*l+m,n;o=p:q@r|s",
  ]) {
    expect({ target, fault: findPathFault(target) }).toEqual({ target, fault: undefined })
  }
})

test('a canonical path is unchanged by URL and has the same segments when it is unescaped, for 50,000 random paths', () => {
  const pieces = ['/', '.', '..', '%', '%2', '%2e', '%2F', '%5c', '%41', '%20', '%00', '%C3%A9']
  const others = [
    '\\',
    'a',
    'Z',
    '0',
    '-',
    '~',
    '?',
    '#',
    '<',
    '`',
    '^',
    '"',
    ' ',
    '\0',
    'é',
    '[',
    '|',
  ]
  const all = [...pieces, ...others]
  let seed = 20_261_129
  const next = (below: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  let canonical = 0
  for (let round = 0; round < 50_000; round += 1) {
    const parts = Array.from({ length: next(7) }, () => all[next(all.length)])
    const target = `/${parts.join('')}`
    if (findPathFault(target)) continue
    canonical += 1
    const path = target.split('?', 1)[0] ?? ''
    expect(new URL(`http://host${target}`).pathname).toBe(path)
    // Unescaping changes no segment: it adds no separator, dot segment or control character.
    const hex = /%([0-9a-f]{2})/gi
    const decoded = path.replaceAll(hex, (_, code) =>
      String.fromCharCode(Number.parseInt(code, 16)),
    )
    const segments = decoded.split('/')
    expect(segments).toHaveLength(path.split('/').length)
    expect(segments.some((segment) => /^\.\.?$|[\\\p{Cc}]/u.test(segment))).toBe(false)
  }
  expect(canonical).toBeGreaterThan(2_000)
})

test('every rule has a sentence', () => {
  for (const sentence of Object.values(pathRules)) expect(sentence).toMatch(/^[A-Z].*\.$/)
})
