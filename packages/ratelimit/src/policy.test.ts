import { describe, expect, test } from '@repo/testing'
import { groupIp, identify, keyPart } from './dimensions.ts'
import { RateLimitError } from './errors.ts'
import { createMemoryRateLimiter } from './memory/memory-rate-limiter.ts'
import { parsePolicies } from './policy.ts'

describe('a policy file', () => {
  test('a policy file is parsed with its defaults', () => {
    const text = '[{ "name": "api-ip", "quota": "unlimited", "windowMs": 60000, "by": "ip" }]'
    expect(parsePolicies(text)).toEqual({
      outcome: 'valid',
      policies: [
        {
          name: 'api-ip',
          quota: Infinity,
          windowMs: 60_000,
          by: ['ip'],
          cost: 1,
          algorithm: 'sliding',
          onUnavailable: 'local',
          shadow: false,
          allow: [],
          deny: [],
        },
      ],
    })
  })

  test('R9: a policy file with faults names all of them', () => {
    const parsed = parsePolicies([
      { name: 'fine', quota: 1, windowMs: 1_000, by: 'ip' },
      { name: 'Bad Name', quota: -1, windowMs: 0, by: 'ip', burst: 3 },
      { name: 'fine', quota: Number.NaN, windowMs: 1_000, by: 7, algorithm: 'leaky' },
      'nonsense',
    ])
    const faults = parsed.outcome === 'invalid' ? parsed.faults : []
    for (const part of [
      /policies\[1\] "Bad Name", name: must be 1-64/,
      /policies\[1\] "Bad Name", quota: /,
      /policies\[1\] "Bad Name", windowMs/,
      /policies\[1\] "Bad Name": .*burst/,
      /policies\[2\] "fine", quota/,
      /policies\[2\] "fine", by: must be the name/,
      /policies\[2\] "fine", algorithm/,
      /policies\[3\]: /,
    ]) {
      expect(faults).toContainEqual(expect.stringMatching(part))
    }
    expect(faults).toHaveLength(8)
  })

  test.each(['{', '', 'null', '{}', '3'])(
    'the policy file %j, which is no list, is refused',
    (text) => {
      expect(parsePolicies(text)).toMatchObject({
        outcome: 'invalid',
        faults: [expect.any(String)],
      })
    },
  )

  test.each(['a\0b', '\uD800'])(
    'a policy with the text %j, which PostgreSQL does not store, is refused',
    (text) => {
      const policy = { name: 'p', quota: 1, windowMs: 1_000, by: 'ip' }
      for (const part of [
        { allow: [text] },
        { deny: [text] },
        { by: text },
        { by: ['ip', text] },
      ]) {
        expect(parsePolicies([{ ...policy, ...part }])).toMatchObject({ outcome: 'invalid' })
      }
      expect(parsePolicies([{ ...policy, name: `p${text}` }])).toMatchObject({ outcome: 'invalid' })
    },
  )

  test('two policies with one name are refused', () => {
    const twice = { name: 'p', quota: 1, windowMs: 1_000, by: 'ip' }
    const faults = ['policies[1] "p", name: "p" is the name of an earlier policy']
    expect(parsePolicies([twice, twice])).toEqual({ outcome: 'invalid', faults })
  })

  test('a policy with a fault creates no limiter', () => {
    const policies = [{ name: 'p', quota: 0.5, windowMs: 1_000, by: 'ip' }]
    expect(() => createMemoryRateLimiter({ policies })).toThrow(RateLimitError)
  })
})

const idOf = (a: string, b: string) => identify(['a', 'b'], { a, b }, 56)

describe('an identifier', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['2001:db8:1:2ff:3::4', '2001:db8:1:200::/56'],
    ['2001:DB8:0001:0200::', '2001:db8:1:200::/56'],
    ['fe80::1%eth0', 'fe80:0:0:0::/56'],
    ['::1', '0:0:0:0::/56'],
    ['64:ff9b::192.0.2.33', '64:ff9b:0:0::/56'],
    ['203.0.113.7:4711', '203.0.113.7'],
    ['[2001:db8:1:2ff:3::4]:443', '2001:db8:1:200::/56'],
    ['[2001:db8:1:2ff:3::4%eth0]', '2001:db8:1:200::/56'],
    ['[::ffff:203.0.113.7]:443', '203.0.113.7'],
    [':nonsense', ':nonsense'],
  ])('the address %s counts as %s', (address, group) => {
    expect(groupIp(address)).toBe(group)
  })

  test('an IPv6 address is grouped by the given prefix', () => {
    expect(groupIp('2001:db8:1:2ff:3::4', 64)).toBe('2001:db8:1:2ff::/64')
    expect(groupIp('2001:db8:1:2ff:3::4', 48)).toBe('2001:db8:1:0::/48')
  })

  test('R4: two lists of values never have the same identifier', () => {
    expect(idOf('1:x', 'y')).not.toBe(idOf('1', 'x:y'))
    expect(idOf('a', '1:b')).not.toBe(idOf('a1', ':b'))
    expect(identify(['a', 'b'], { a: 'x' }, 56)).toBeUndefined()
  })

  test('an identifier has at most 32 bytes, and no caller can choose the hash of another caller', () => {
    const hashed = keyPart('x'.repeat(33))
    expect(hashed).toMatch(/^#[\w-]{31}$/)
    expect(keyPart(hashed)).not.toBe(hashed)
    expect(keyPart('x'.repeat(32))).toBe('x'.repeat(32))
    expect(Buffer.byteLength(keyPart('日'.repeat(11)))).toBe(32)
    expect(keyPart('\u{d800}')).not.toBe(keyPart('\u{d801}'))
  })
})
