import { expect, test } from '@repo/testing'
import { viaSentinels } from './via-sentinels.ts'

test('the host of the URL is the name of the primary, with the credentials of Redis', () => {
  const options = viaSentinels('rediss://app:p%40ss@primary/2', ['a:26380', 'b', '[::1]:7'])
  expect(options).toMatchObject({
    name: 'primary',
    sentinels: [
      { host: 'a', port: 26_380 },
      { host: 'b', port: 26_379 },
      { host: '::1', port: 7 },
    ],
    username: 'app',
    password: 'p@ss',
    db: 2,
    tls: {},
  })
})

test.for(['', ':26379', 'not a host'])('the malformed sentinel "%s" is refused', (sentinel) => {
  expect(() => viaSentinels('redis://primary', [sentinel])).toThrow(
    expect.objectContaining({ code: 'bad-option' }),
  )
})
