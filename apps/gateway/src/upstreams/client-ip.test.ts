import { parseEnv } from '@repo/service'
import { expect, test } from '@repo/testing'
import { gatewaySettings } from '../env.ts'
import { ask, serveGateway, signedIn } from '../gateway.fixture.ts'
import { parseLimits } from '../limits/limits.ts'
import { serveUpstream } from '../servers.fixture.ts'
import { clientIp, parseRange } from './client-ip.ts'

const socketAddress = '10.0.0.9'

/** An address in every spelling that proxies use, and the one that the gateway uses. */
const spellings = {
  '203.0.113.7': [
    '203.0.113.7',
    '203.0.113.7:4711',
    '[203.0.113.7]:4711',
    '"203.0.113.7:4711"',
    '::ffff:203.0.113.7',
    '::FFFF:203.0.113.7',
    '::ffff:cb00:7107',
    '0:0:0:0:0:ffff:cb00:7107',
    '[::ffff:cb00:7107]',
    '[::ffff:203.0.113.7]:65535',
  ],
  '2001:db8::1': [
    '2001:db8::1',
    '2001:DB8::1',
    '2001:0db8:0000:0000:0000:0000:0000:0001',
    '2001:db8:0:0::1',
    '[2001:db8::1]',
    '[2001:db8::1]:443',
    '"[2001:db8::1]:443"',
    '2001:db8::1%eth0',
    '[2001:db8::1%eth0]:443',
  ],
}
const everySpelling = Object.entries(spellings).flatMap(([address, texts]) =>
  texts.map((text) => [text, address] as const),
)

/** Texts that are no address. */
const nonsense = [
  'unknown',
  '_hidden',
  '',
  ' ',
  '6.6.6.6,',
  'evil\u0000',
  'x'.repeat(10_000),
  `[${'0:'.repeat(5_000)}]`,
  '203.0.113.7:',
  '203.0.113.7:port',
  '203.0.113.7:123456',
  '203.0.113.256',
  '203.0.113',
  '0xcb.0.0x71.7',
  '0313.0.0161.07',
  '3405803783',
  '[2001:db8::1',
  '2001:db8::1]:443',
  '[2001:db8::1]443',
  '[[2001:db8::1]]',
  '2001:db8:::1',
  '2001:db8::g',
  '203.0.113.7 203.0.113.8',
  'for=203.0.113.7',
]

test('without a trusted proxy the address of the client is that of the socket', () => {
  expect(clientIp({ forwardedFor: '6.6.6.6', socketAddress, hops: 0 })).toBe('10.0.0.9')
  expect(clientIp({ forwardedFor: undefined, socketAddress, hops: 1 })).toBe('10.0.0.9')
})

test.for([
  [1, '203.0.113.7', '203.0.113.7'],
  [1, '6.6.6.6, 203.0.113.7', '203.0.113.7'],
  [1, '6.6.6.6, 7.7.7.7,203.0.113.7', '203.0.113.7'],
  [2, '6.6.6.6, 203.0.113.7, 10.0.0.2', '203.0.113.7'],
  [2, '203.0.113.7', '203.0.113.7'],
  [1, '6.6.6.6, 2001:db8::1', '2001:db8::1'],
  [1, '::ffff:203.0.113.7', '203.0.113.7'],
  [2, '6.6.6.6:1, [2001:DB8::1]:443 , 10.0.0.2:80', '2001:db8::1'],
  [3, ',203.0.113.7, 10.0.0.2', '203.0.113.7'],
] as const)(
  'behind %i trusted proxies the address of the client in "%s" is %s',
  ([hops, forwardedFor, address]) => {
    expect(clientIp({ forwardedFor, socketAddress, hops })).toBe(address)
  },
)

test.for(everySpelling)('an address that is written as %s is counted as %s', ([text, address]) => {
  expect(clientIp({ forwardedFor: `6.6.6.6, ${text}`, socketAddress, hops: 1 })).toBe(address)
  expect(clientIp({ forwardedFor: undefined, socketAddress: text, hops: 1 })).toBe(address)
})

test.for(nonsense)(
  'the address of the client is that of the socket if the entry is no address: %s',
  (text) => {
    expect(clientIp({ forwardedFor: text, socketAddress, hops: 1 })).toBe('10.0.0.9')
  },
)

test('the address of the client is that of the nearest proxy that wrote an address', () => {
  const forwardedFor = '6.6.6.6, unknown, 192.0.2.2:80, 192.0.2.3'
  expect(clientIp({ forwardedFor, socketAddress, hops: 3 })).toBe('192.0.2.2')
  expect(clientIp({ forwardedFor, socketAddress, hops: 4 })).toBe('192.0.2.2')
})

test('an IPv4 address of the socket has its IPv4 form, and a missing address is "unknown"', () => {
  expect(clientIp({ forwardedFor: undefined, socketAddress: '::ffff:10.0.0.9', hops: 0 })).toBe(
    '10.0.0.9',
  )
  expect(clientIp({ forwardedFor: undefined, socketAddress: undefined, hops: 0 })).toBe('unknown')
})

const ranges = ['10.0.0.0/8', '192.0.2.7', 'fd00::/8'].flatMap((text) => parseRange(text) ?? [])
const ipOf = (forwardedFor: string | undefined, from = socketAddress) =>
  clientIp({ forwardedFor, socketAddress: from, hops: 1, ranges })

test.for([
  ['203.0.113.7', '203.0.113.7'],
  ['6.6.6.6, 203.0.113.7', '203.0.113.7'],
  ['6.6.6.6, 203.0.113.7, 10.1.1.1, 192.0.2.7', '203.0.113.7'],
  ['6.6.6.6, 203.0.113.7:1, [fd00::1]:443, ::ffff:10.1.1.1', '203.0.113.7'],
  ['6.6.6.6, 192.0.2.8, 10.1.1.1', '192.0.2.8'],
  ['10.1.1.1, 10.1.1.2', '10.1.1.1'],
  ['6.6.6.6, unknown, 10.1.1.1', '10.1.1.1'],
  [undefined, '10.0.0.9'],
])(
  'the address of the client is that of the last sender outside the networks: %s',
  ([header, address]) => {
    expect(ipOf(header)).toBe(address)
  },
)

test('a header from a sender outside the networks is ignored', () => {
  expect(ipOf('6.6.6.6', '198.51.100.1')).toBe('198.51.100.1')
  expect(ipOf('6.6.6.6', '192.0.2.8')).toBe('192.0.2.8')
})

test('a chain of proxies is followed for at most 32 of them', () => {
  const chain = Array.from({ length: 5_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`)
  expect(ipOf(chain.join(','))).toBe(chain.at(-32))
})

test.for([
  ['10.0.0.0/8', ['10.0.0.0', 8]],
  ['10.1.2.3', ['10.1.2.3', 32]],
  [' 10.1.2.3/32 ', ['10.1.2.3', 32]],
  ['FD00::/8', ['fd00::', 8]],
  ['2001:db8::1', ['2001:db8::1', 128]],
  ['::ffff:10.0.0.0/104', ['10.0.0.0', 8]],
] as const)('the text "%s" is parsed as a network', ([text, expected]) => {
  const range = parseRange(text)
  expect([range?.network.toString(), range?.bits]).toEqual(expected)
})

test.for([
  '0.0.0.0/0',
  '::/0',
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/8/8',
  '10.0.0.0/255.0.0.0',
  '10.0.0.0/',
  '10.0.0/8',
  '10.0.0.1:80',
  '[fd00::1]/8',
  'fd00::/129',
  'fe80::1%eth0',
  '::ffff:10.0.0.0/8',
  'localhost',
  '10.0.0.0/8,',
  ',',
])('the text "%s" is refused as a network', (text) => {
  const settings = { TRUSTED_PROXIES: gatewaySettings.TRUSTED_PROXIES }
  const parsed = parseEnv(settings, { TRUSTED_PROXIES: text })
  const faults = parsed.outcome === 'invalid' ? parsed.faults : []
  expect(faults).toEqual([expect.stringMatching(/^TRUSTED_PROXIES: must be addresses/)])
})

test('TRUSTED_HOPS and TRUSTED_PROXIES cannot both be set', () => {
  const { TRUSTED_PROXIES, TRUSTED_HOPS } = gatewaySettings
  const source = { TRUSTED_PROXIES: '10.0.0.0/8', TRUSTED_HOPS: '1' }
  expect(parseEnv({ TRUSTED_PROXIES, TRUSTED_HOPS }, source)).toMatchObject({
    outcome: 'invalid',
    faults: ['TRUSTED_PROXIES: cannot be beside TRUSTED_HOPS'],
  })
})

const parsed = parseLimits({
  policies: [{ name: 'ip', quota: 2, windowMs: 60_000, by: 'ip' }],
  routes: [{ path: '/api', policies: ['ip'] }],
})
const limits = parsed.outcome === 'valid' ? { limits: parsed.limits } : {}

test('a limit by address counts all spellings of one address together, and each address separately', async ({
  databaseUrl,
}) => {
  await signedIn(databaseUrl)
  await using auth = await serveUpstream('auth-1')
  const options = { databaseUrl, auth: [auth.origin], payments: [], ...limits }
  await using gateway = await serveGateway(options)
  const statusOf = async (address: string | string[]) => {
    const headers = { 'x-forwarded-for': address }
    return (await ask(gateway.origin, '/api/auth/ok', { headers })).status
  }
  for (const [address, texts] of Object.entries(spellings)) {
    const statuses = []
    for (const text of texts) statuses.push(await statusOf(text))
    expect(statuses).toEqual(texts.map((_, index) => (index < 2 ? 200 : 429)))
    expect(new Set(auth.seen.splice(0).map(({ headers }) => headers['x-client-ip']))).toEqual(
      new Set([address]),
    )
  }
  // The last of several lines is that of the nearest proxy.
  expect(await statusOf(['6.6.6.6', '203.0.113.7:1'])).toBe(429)
  const people = Array.from({ length: 100 }, (_, i) => [
    `198.51.100.${i}:${50_000 + i}`,
    `[2001:db8:${i + 1}::1]:${50_000 + i}`,
  ])
  const statuses = await Promise.all(people.flat().map(statusOf))
  expect(statuses.filter((status) => status !== 200)).toEqual([])
})

test('a limit by address uses the networks of the trusted proxies', async ({ databaseUrl }) => {
  await signedIn(databaseUrl)
  await using auth = await serveUpstream('auth-1')
  await using gateway = await serveGateway({
    databaseUrl,
    auth: [auth.origin],
    payments: [],
    ...limits,
    trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'],
  })
  const headers = { 'x-forwarded-for': '6.6.6.6, 203.0.113.7:1, 10.0.0.1, 10.0.0.2:80' }
  expect((await ask(gateway.origin, '/api/auth/ok', { headers })).status).toBe(200)
  expect(auth.seen[0]?.headers['x-client-ip']).toBe('203.0.113.7')
})
