import { expect, test } from '@repo/testing'
import { databaseHost } from './database-url.ts'
import { parseEnv } from './env.ts'
import { databaseSettings } from './settings.ts'

function read(url: string) {
  return parseEnv(databaseSettings, { DATABASE_URL: url })
}

test.for([
  'postgres://user:password@host/db',
  'postgresql://user:password@host:5432/db',
  'postgres://host/db',
  'postgres://user@[::1]:5432/db',
  'postgresql:///db?host=/var/run/postgresql',
  'postgres://user:password@localhost/db?host=/var/run/postgresql&port=5433',
  'postgres://user:password@/db?host=/var/run/postgresql',
  'postgres://user:password@%2Fvar%2Frun%2Fpostgresql/db',
  'postgres://user:p%40ss%25word@host/db',
  'postgres://user:password@host/db%20with%20spaces',
  ...['disable', 'require', 'verify-ca', 'verify-full', 'no-verify'].map(
    (mode) => `postgres://user:password@host/db?sslmode=${mode}`,
  ),
  'postgres://user:password@host/db?ssl=true',
  'postgres://user:password@host/db?options=-c%20search_path%3Dthree',
])('a valid DATABASE_URL is unchanged: %s', (url) => {
  expect(read(url)).toMatchObject({ outcome: 'valid', env: { DATABASE_URL: url } })
})

test.for([
  ['50%', '50%25'],
  ['%', '%25'],
  ['a%zz', 'a%25zz'],
  ['100%ff', '100%25ff'],
  ['%41%', '%41%25'],
  ['with space', 'with%20space'],
  ['a:b', 'a:b'],
  ['a@b', 'a@b'],
])(
  'special characters in the password of a DATABASE_URL are encoded: %s',
  ([password, encoded]) => {
    const expected = { DATABASE_URL: `postgres://user:${encoded}@host/db` }
    expect(read(`postgres://user:${password}@host/db`)).toMatchObject({ env: expected })
  },
)

test.for([
  ['postgres://user:SECRET@host:99999/db', 'a port of at most 65535'],
  ['postgres://user:SECRET@host:0/db', 'a port that is not 1 to 65535'],
  ['postgres://user:SECRET@host:port/db', 'is not a URL'],
  ['postgres://user:SECRET@host/db?port=99999', 'a port that is not 1 to 65535'],
  ['/abc', 'must begin with postgres://'],
  ['/var/run/postgresql SECRET', 'must begin with postgres://'],
  ['SECRET', 'must begin with postgres://'],
  ['mysql://user:SECRET@host/db', 'must begin with postgres://'],
  ['socket:/var/run/postgresql?db=SECRET', 'must begin with postgres://'],
  ['postgres://user:SECRET@host', 'names no database'],
  ['postgres://user:SECRET@host/', 'names no database'],
  ['postgres://user:SECRET@host:5432?sslmode=require', 'names no database'],
  ['postgres://user:SECRET@host//abc', 'a database with a / or %'],
  ['postgres://user:SECRET@host/%2Fabc', 'a database with a / or %'],
  ['postgresql:///SECRET', 'names no host'],
  ['postgres://user:SECRET@/db', 'is not a URL'],
  ['postgres://user:SECRET@one,two/db', 'names several hosts'],
  ['postgres://user:SECRET@one:1,two:2/db', 'is not a URL'],
  ['postgres://user:SECRET#x@host/db', 'percent-encode'],
  ['postgres://user:SECRET/x@host/db', 'percent-encode'],
  ['postgres://user:SECRET@host/db#x', 'contains a #'],
  ['postgres://user:SECRET@host/db?sslmode=prefer', 'an sslmode that is not one of'],
  ['postgres://user:SECRET@host/db?sslmode=on', 'an sslmode that is not one of'],
  ['postgres://user:SECRET@host/db?ssl=false', 'an ssl that is not'],
  ['postgres://user:SECRET@host/db?sslrootcert=/SECRET.pem', 'sslrootcert that is not a readable'],
  ['postgres://user:SECRET@host/db?sslmode=verify-full&sslrootcert=system', 'not a readable file'],
  ['postgres://user:SECRET@host/db?uselibpqcompat=true&sslmode=verify-ca', 'without sslrootcert'],
] as const)('the DATABASE_URL %s is refused without its value: %s', ([url, reason]) => {
  const result = read(url)
  expect(result).toMatchObject({ outcome: 'invalid', faults: [expect.stringContaining(reason)] })
  expect(JSON.stringify(result)).toMatch(/DATABASE_URL: /)
  expect(JSON.stringify(result)).not.toContain('SECRET')
})

const url = 'postgres://host/db'
test.for([
  [{ DATABASE_CONNECTIONS: '5' }, 'at least DATABASE_INSTANCES, 12'],
  [{ DATABASE_CONNECTIONS: '8', DATABASE_INSTANCES: '9' }, 'at least DATABASE_INSTANCES, 9'],
  [{ DATABASE_INSTANCES: '81' }, 'at least DATABASE_INSTANCES, 81'],
] as const)(
  'DATABASE_CONNECTIONS smaller than the number of instances is refused: %o',
  ([settings, reason]) => {
    expect(parseEnv(databaseSettings, { DATABASE_URL: url, ...settings })).toEqual({
      outcome: 'invalid',
      faults: [`DATABASE_CONNECTIONS: must be ${reason}`],
    })
  },
)

test('one connection for each instance is accepted', () => {
  const settings = { DATABASE_CONNECTIONS: '9', DATABASE_INSTANCES: '9' }
  expect(parseEnv(databaseSettings, { DATABASE_URL: url, ...settings })).toMatchObject({
    outcome: 'valid',
  })
})

test('a message names the server without its credentials', () => {
  expect(databaseHost('postgres://user:SECRET@[::1]:5432/db')).toBe('[::1]:5432')
  expect(databaseHost('postgres://user:SECRET@/db?host=/var/run')).toBe('/var/run')
  expect(databaseHost('postgres://user:SECRET@%2Fvar%2Frun/db')).toBe('/var/run')
})
