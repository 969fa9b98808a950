import { describe, expect, test } from '@repo/testing'
import { clientIp } from './client-ip.ts'

const socketAddress = '10.0.0.9'

describe('the client’s address', () => {
  test('is the socket’s where no proxy of ours stands in front, whatever is claimed', () => {
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
  ] as const)('behind %i proxies of ours is, of %s, %s', ([hops, forwardedFor, address]) => {
    expect(clientIp({ forwardedFor, socketAddress, hops })).toBe(address)
  })

  test.for(['unknown', '', ' ', '6.6.6.6,', '203.0.113.7:4711', 'evil\u0000', 'x'.repeat(10_000)])(
    'is the socket’s where what our proxy wrote is no address: %s',
    (forwardedFor) => {
      expect(clientIp({ forwardedFor, socketAddress, hops: 1 })).toBe('10.0.0.9')
    },
  )

  test('is IPv4 in its own form, and known to be unknown', () => {
    expect(clientIp({ forwardedFor: undefined, socketAddress: '::ffff:10.0.0.9', hops: 0 })).toBe(
      '10.0.0.9',
    )
    expect(clientIp({ forwardedFor: undefined, socketAddress: undefined, hops: 0 })).toBe('unknown')
  })
})
