import { expect, test } from 'vitest'
import { describeDatabase, describeRedis } from './describe-url.ts'

test.for([
  [
    'postgres://me:secret@db.example.com:6432/shop',
    'database "shop" on db.example.com:6432 as user "me"',
  ],
  ['postgresql://db.example.com/shop', 'database "shop" on db.example.com:5432'],
  ['postgres://me:secret@[2001:db8::1]/shop', 'database "shop" on [2001:db8::1]:5432 as user "me"'],
  [
    'postgres:///shop?host=/run/postgresql&user=me',
    'database "shop" on the socket in /run/postgresql as user "me"',
  ],
  ['postgres://me:100%secret@db/shop', 'database "shop" on db:5432 as user "me"'],
])('%s is described without its password', ([url = '', description]) => {
  expect(describeDatabase(url)).toBe(description)
})

test.for([
  ['redis://:secret@cache.example.com:6380/2', 'cache.example.com:6380, database 2'],
  ['rediss://me:secret@cache.example.com', 'cache.example.com:6379'],
  ['redis://:secret@a:7000,b:7001,c:7002', 'a:7000 and 2 more'],
])('%s is described without its password', ([url = '', description]) => {
  expect(describeRedis(url)).toBe(description)
})

test.for(['postgres://me:secret@host:99999/x', 'host=db password=secret', 'secret'])(
  'a URL that cannot be parsed shows nothing of itself: %s',
  (url) => {
    expect(describeDatabase(url)).not.toContain('secret')
    expect(describeRedis(url)).not.toContain('secret')
  },
)
