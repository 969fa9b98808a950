import { expect, test } from 'vitest'
import { upstreamTargets } from './discovery.ts'

test.for([
  ['registry:', ['registry:']],
  [' dns://auth:3001 ', ['dns://auth:3001']],
  ['dns+https://auth.internal:443', ['dns+https://auth.internal:443']],
  ['http://a:1, https://b', ['http://a:1', 'https://b']],
  ['http://a:1,http://a:1/', ['http://a:1']],
] as const)('the targets %s are valid', ([text, value]) => {
  expect(upstreamTargets().parse(text)).toEqual(value)
})

test.for([
  'registry',
  'registry:auth',
  'registry:,http://a:1',
  'dns:',
  'dns://auth',
  'dns://auth:0',
  'dns://auth:70000',
  'dns://auth:3001/path',
  'dns://user@auth:3001',
  'dns://auth:3001,dns://b:3001',
  'ftp://auth:3001',
  'http://auth:3001/path',
  '',
])('the targets %s are refused, with all three forms in the message', (text) => {
  const { success, error } = upstreamTargets().safeParse(text)
  expect(success).toBe(false)
  expect(error?.issues[0]?.message).toMatch(/origins .*registry:.*dns:\/\/name:port/)
})
