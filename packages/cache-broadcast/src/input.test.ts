import { expect, test } from '@repo/testing'
import { checkKey, checkName, checkTagsOfValue, toKeys, toTags } from './input.ts'

const throwing = Object.defineProperty({}, 'length', {
  get() {
    throw new Error('a getter of the caller')
  },
})
const HOSTILE: unknown[] = [
  ...[undefined, null, Number.NaN, Infinity, -1, 0, 1n, true, '', '\ud800', 'a\udfff', Symbol('s')],
  ...['x'.repeat(1_025), 'ä'.repeat(513), 'x'.repeat(2 ** 20), {}, throwing, () => 'a', [[]]],
  ...[['a', ''], ['\ud800'], [undefined], new Set(['a'])],
  // oxlint-disable-next-line no-sparse-arrays -- a hole is no name
  [, 'a'],
]

test.for(HOSTILE)('%o is refused as a key and as a tag with a coded error', (name) => {
  const refused = expect.objectContaining({ name: 'CacheError', code: 'bad-key' })
  expect(() => checkKey(name)).toThrow(refused)
  expect(() => toKeys(name)).toThrow(refused)
  expect(() => toTags(name)).toThrow(refused)
  expect(() => checkTagsOfValue(name)).toThrow(refused)
  expect(() => checkTagsOfValue([name])).toThrow(refused)
  const option = expect.objectContaining({ name: 'CacheError', code: 'bad-option' })
  expect(() => checkName('cache', name)).toThrow(option)
})

test('names up to their limits in UTF-8 are accepted, also with a NUL, braces or a colon', () => {
  for (const key of ['x'.repeat(512), 'ä'.repeat(256), '😀'.repeat(128), '\0', '{a}:v', ' ']) {
    expect(toKeys(key)).toEqual([key])
    expect(toTags([key])).toEqual([key])
  }
  expect(() => checkKey('ä'.repeat(257))).toThrow('1 to 512 bytes')
  expect(toTags('ä'.repeat(512))).toHaveLength(1)
  expect(toKeys([])).toEqual([])
  expect(() => toTags([])).toThrow('at least one tag')
  expect(() => checkTagsOfValue(Array.from({ length: 65 }, String))).toThrow('at most 64 tags')
})
