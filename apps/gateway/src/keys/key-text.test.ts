import { expect, test } from 'vitest'
import { createKeyText, parseKeyText, sentKey, writeKeyText } from './key-text.ts'

test('a created key is read with its parts, and no two of 10,000 have the same id or secret', () => {
  const created = Array.from({ length: 10_000 }, createKeyText)
  expect(new Set(created.map(({ id }) => id)).size).toBe(10_000)
  expect(new Set(created.map(({ secret }) => secret)).size).toBe(10_000)
  for (const parts of created) expect(parseKeyText(writeKeyText(parts))).toEqual(parts)
})

const [one, two] = [writeKeyText(createKeyText()), writeKeyText(createKeyText())]

test.for([
  ['no header', {}, undefined],
  ['a bearer token', { authorization: `Bearer ${one}` }, one],
  ['a bearer token in another spelling', { authorization: `bEARER   ${one} ` }, one],
  ['a header of its own', { 'x-api-key': one }, one],
  ['both headers with one key', { authorization: `Bearer ${one}`, 'x-api-key': one }, one],
  ['two different keys', { authorization: `Bearer ${one}`, 'x-api-key': two }, ''],
  ['a key and an empty header', { authorization: `Bearer ${one}`, 'x-api-key': '' }, ''],
  ['two fields, joined by node:http', { 'x-api-key': `${one}, ${one}` }, `${one}, ${one}`],
  ['an access token of OAuth', { authorization: 'Bearer eyJhbGciOi' }, undefined],
  ['a key and an access token', { authorization: 'Bearer eyJ', 'x-api-key': one }, one],
  ['Basic authentication', { authorization: `Basic ${one}` }, undefined],
  ['a malformed key', { authorization: 'Bearer tf_x' }, 'tf_x'],
] as const)('the API key of a request with %s', ([, headers, key]) => {
  expect(sentKey(headers)).toBe(key)
})
