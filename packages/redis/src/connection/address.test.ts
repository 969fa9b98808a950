import { expect, test } from '@repo/testing'
import { findUrlFault, parseAddress, parseAddresses, parseRedisUrl } from './address.ts'

const plain = { host: 'host', port: 6379, tls: false, database: 0 }

test.for([
  ['redis://host', plain],
  [' redis://host:6379/ \n', plain],
  ['redis://host/0', plain],
  ['valkey://host', plain],
  ['redis://host?family=6', plain],
  ['REDISS://host:6380/15', { ...plain, port: 6380, tls: true, database: 15 }],
  ['redis://[::1]:7000/2', { ...plain, host: '::1', port: 7000, database: 2 }],
  ['redis://[2001:db8::1]', { ...plain, host: '2001:db8::1' }],
  ['redis://:pass@host', { ...plain, password: 'pass' }],
  ['redis://user@host', { ...plain, username: 'user' }],
  ['redis://us%3Aer:p%40ss@host', { ...plain, username: 'us:er', password: 'p@ss' }],
  // A `%` that encodes nothing is a part of the password.
  ['redis://:100%@host', { ...plain, password: '100%' }],
  ['redis://:%zz%41%ff@host', { ...plain, password: '%zz%41%ff' }],
  ['redis://:a%20%@host', { ...plain, password: 'a %' }],
  ['redis://:p@s:s@host', { ...plain, password: 'p@s:s' }],
  ['redis://:pa/ss#wo?rd@host:7/3', { ...plain, password: 'pa/ss#wo?rd', port: 7, database: 3 }],
] as const)('a Redis URL is parsed: %s', ([text, expected]) => {
  expect(parseRedisUrl(text)).toEqual(expected)
})

test.for([
  ['http://host', 'must begin with redis://'],
  ['host:6379', 'must begin with redis://'],
  ['redis://', 'has no host'],
  ['redis:///0', 'has no host'],
  ['redis://:6379', 'has no host'],
  ['redis://user:secret@:6379', 'has no host'],
  ['redis://host:0', 'has a port that is not 1 to 65535'],
  ['redis://host:99999', 'has a port that is not 1 to 65535'],
  ['redis://host:-1', 'has a port that is not 1 to 65535'],
  ['redis://host:port', 'has a port that is not 1 to 65535'],
  ['redis://[::1', 'has no host'],
  ['redis://[host]', 'has brackets around text that is no IPv6 address'],
  ['redis://::1:6379', 'has an IPv6 address without brackets'],
  ['redis://1.2.3', 'has a malformed IPv4 address'],
  ['redis://ho st', 'contains white space'],
  ['redis://:se cret@host', 'contains white space'],
  ['redis://host/abc', 'has a database that is no number'],
  ['redis://host/-1', 'has a database that is no number'],
  ['redis://host/0/1', 'has a database that is no number'],
  ['redis://a:1,b:2', 'names several hosts'],
  ['redis://host?ssl_cert_reqs=none', 'has parameters'],
  ['redis://host#1', 'has parameters'],
  ['redis://user:12/3@host', 'is ambiguous'],
  ['redis://host/0?x=a@b', 'is ambiguous'],
  ['unix:///tmp/redis.sock', 'is a Unix socket'],
  ['redis+unix:///tmp/redis.sock', 'is a Unix socket'],
  ['/tmp/redis.sock', 'is a Unix socket'],
  ['redis:///tmp/redis.sock', 'is a Unix socket'],
] as const)('an invalid Redis URL is refused without its value: %s', ([text, fault]) => {
  expect(findUrlFault(text)).toContain(fault)
  expect(findUrlFault(text)).not.toMatch(/secret|se cret/)
  expect(() => parseRedisUrl(text)).toThrow(expect.objectContaining({ code: 'bad-option' }))
})

test('an address has a host, and its port or the default one', () => {
  expect(parseAddress('host', 26_379)).toEqual({ host: 'host', port: 26_379 })
  expect(parseAddress('host:1', 26_379)).toEqual({ host: 'host', port: 1 })
  expect(parseAddress('[::1]:2', 26_379)).toEqual({ host: '::1', port: 2 })
})

test('a list of addresses has no repeated ones, and the faults of all entries', () => {
  expect(parseAddresses('a:1, [::1]:2 ,a:1')).toEqual({ addresses: ['a:1', '[::1]:2'], faults: [] })
  expect(parseAddresses('a:0,,b:1,user:p@c,redis://d,:5,::1').faults).toEqual([
    'entry 1 has a port that is not 1 to 65535',
    'entry 2 is empty',
    'entry 4 must be host:port, without a user and a password',
    'entry 5 must be host:port, without a scheme',
    'entry 6 has no host',
    'entry 7 has an IPv6 address without brackets, or several ports',
  ])
})
