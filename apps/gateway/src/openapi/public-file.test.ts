import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { chooseEncoding, compress } from './encoding.ts'
import { createPublicFile } from './public-file.ts'

const text = 'every instance returns this text. '.repeat(200)
let loads = 0

function open(body = text, encode = compress) {
  return createPublicFile({
    encode,
    load() {
      loads += 1
      return Buffer.from(body)
    },
    type: 'text/plain',
    cacheControl: 'public, max-age=60',
  })
}

function ask(headers: Record<string, string> = {}, method = 'GET') {
  return new Request('http://gateway/file', { method, headers })
}

test.each([
  ['zstd', (bytes: Uint8Array) => zstdDecompressSync(bytes)],
  ['br', (bytes: Uint8Array) => brotliDecompressSync(bytes)],
  ['gzip', (bytes: Uint8Array) => gunzipSync(bytes)],
] as const)(
  'a client that accepts %s gets the body in it, with another tag',
  async (encoding, decode) => {
    const file = open()
    const response = await file.respond(ask({ 'accept-encoding': `identity;q=0.1, ${encoding}` }))
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-encoding': encoding,
      'content-type': 'text/plain',
      vary: 'Accept-Encoding, Origin',
      'cache-control': 'public, max-age=60',
    })
    const bytes = new Uint8Array(await response.arrayBuffer())
    expect(bytes.length).toBeLessThan(text.length / 10)
    expect(response.headers.get('content-length')).toBe(String(bytes.length))
    expect(decode(bytes).toString()).toBe(text)
    expect(response.headers.get('etag')).not.toBe((await file.respond(ask())).headers.get('etag'))
  },
)

test.each([
  [undefined, undefined],
  ['', undefined],
  ['identity', undefined],
  ['deflate', undefined],
  ['gzip, deflate, br, zstd', 'zstd'],
  ['gzip, br', 'br'],
  ['br;q=0.2, gzip;q=0.9', 'gzip'],
  ['br;q=0, gzip;q=0', undefined],
  ['*', 'zstd'],
  ['zstd;q=0, *;q=0.5', 'br'],
  ['identity;q=1, gzip;q=0.5', undefined],
  ['GZIP ; q=1', 'gzip'],
  ['gzip;q=nonsense', undefined],
  ['gzip;q=2', undefined],
])('for Accept-Encoding %j the encoding is %s', (accepted, expected) => {
  expect(chooseEncoding(accepted, 1_024)).toBe(expected)
})

test('a body below 1 KB is not compressed', async () => {
  const response = await open('small').respond(ask({ 'accept-encoding': 'zstd' }))
  expect(response.headers.get('content-encoding')).toBeNull()
  expect(await response.text()).toBe('small')
})

test('a client that has the body gets 304 without a body, and HEAD has the same headers as GET', async () => {
  const file = open()
  const first = await file.respond(ask({ 'accept-encoding': 'br' }))
  const tag = first.headers.get('etag') ?? ''
  for (const sent of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
    const again = await file.respond(ask({ 'accept-encoding': 'br', 'if-none-match': sent }))
    expect(again.status).toBe(304)
    expect(await again.text()).toBe('')
    expect(again.headers.get('etag')).toBe(tag)
  }
  const other = await file.respond(ask({ 'accept-encoding': 'gzip', 'if-none-match': tag }))
  expect(other.status).toBe(200)
  const head = await file.respond(ask({ 'accept-encoding': 'br' }, 'HEAD'))
  expect(await head.text()).toBe('')
  expect(Object.fromEntries(head.headers)).toEqual(Object.fromEntries(first.headers))
})

test('a body is loaded once, also by concurrent requests, and again after a failure', async () => {
  loads = 0
  const file = open()
  await Promise.all(Array.from({ length: 20 }, () => file.respond(ask())))
  expect(loads).toBe(1)
  let failures = 0
  const failing = createPublicFile({
    async load() {
      failures += 1
      if (failures === 1) throw new Error('the file cannot be read')
      return Buffer.from('x')
    },
    type: 'text/plain',
    cacheControl: 'no-cache',
  })
  await expect(failing.respond(ask())).rejects.toThrow('cannot be read')
  expect((await failing.respond(ask())).status).toBe(200)
})

test('a body whose compression failed is compressed again at the next request', async () => {
  let attempts = 0
  const file = open(text, async (body, encoding) => {
    attempts += 1
    if (attempts === 1) throw new Error('no memory is left')
    return compress(body, encoding)
  })
  const request = () => file.respond(ask({ 'accept-encoding': 'gzip' }))
  await expect(request()).rejects.toThrow('no memory is left')
  const response = await request()
  expect(response.headers.get('content-encoding')).toBe('gzip')
  expect(gunzipSync(await response.arrayBuffer()).toString()).toBe(text)
})
