import { expect, test } from '@repo/testing'
import { createSourceCheck, isSafeMethod } from './request-source.ts'

const sourceOf = createSourceCheck({
  origin: 'https://Shop.example:443/',
  trustedOrigins: ['https://admin.example'],
})

function source(origin: string | undefined, site: string | undefined) {
  return sourceOf({
    ...(origin !== undefined && { origin }),
    ...(site !== undefined && { 'sec-fetch-site': site }),
  })
}

test.for([
  ['https://shop.example', undefined],
  ['https://shop.example', 'same-origin'],
  // A gateway that is reached at another address than the page.
  ['https://shop.example', 'same-site'],
  ['https://admin.example', 'cross-site'],
  ['https://admin.example', undefined],
  [undefined, 'same-origin'],
  ['null', 'same-origin'],
  [undefined, 'none'],
] as const)('a request with Origin %s and Sec-Fetch-Site %s is own', ([origin, site]) => {
  expect(source(origin, site)).toBe('own')
})

test.for([
  ['https://evil.test', undefined],
  ['https://evil.test', 'cross-site'],
  // The user started it, but the page of an extension sends its own origin.
  ['chrome-extension://abc', 'none'],
  ['http://shop.example', undefined],
  ['https://shop.example:8443', 'same-site'],
  ['https://shop.example.evil.test', undefined],
  ['https://evil.shop.example', 'same-site'],
  ['https://shop.example, https://evil.test', undefined],
  ['https://shop.example/', undefined],
  ['null', undefined],
  ['null', 'cross-site'],
  ['null', 'none'],
  ['', undefined],
  [undefined, 'same-site'],
  [undefined, 'cross-site'],
  [undefined, 'same-origin, cross-site'],
  [undefined, 'Same-Origin'],
  [undefined, ''],
] as const)('a request with Origin %s and Sec-Fetch-Site %s is foreign', ([origin, site]) => {
  expect(source(origin, site)).toBe('foreign')
})

test('a request with neither header is unknown, also with Referer and Sec-Fetch-Mode', () => {
  expect(sourceOf({})).toBe('unknown')
  expect(sourceOf({ referer: 'https://shop.example/', 'sec-fetch-mode': 'cors' })).toBe('unknown')
})

test('only GET, HEAD and OPTIONS are safe methods', () => {
  expect(['GET', 'HEAD', 'OPTIONS'].map(isSafeMethod)).toEqual([true, true, true])
  const others = ['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'CONNECT', 'PROPFIND', 'get', '']
  expect(others.filter(isSafeMethod)).toEqual([])
})
