import { expect, test } from '@repo/testing'
import { createDeviceCookies } from './device-cookie.ts'

const cookies = { secret: 'a secret of at least thirty-two characters' }
const devices = createDeviceCookies(cookies)
const ada = { account: 'ada@threefold.test', passwordHash: 'salt:hash' }
const eve = { account: 'eve@threefold.test', passwordHash: 'salt:other' }

const headerOf = (setCookie: string) => setCookie.split(';', 1)[0] ?? ''

test('an entry of another release is not trusted and stays in the cookie, and other entries are still valid', () => {
  const issued = headerOf(devices.issue(undefined, ada))
  const id = devices.find(issued, ada)
  expect(id).toMatch(/^[\w-]{16}$/)
  const later = 'v2.AAAABBBB.0123456789.a-mac-of-another-length'
  const both = `${issued}~${later}`
  expect(devices.find(both, ada)).toBe(id)
  expect(devices.find(`threefold.device=${later}`, ada)).toBeUndefined()
  expect(headerOf(devices.issue(both, eve))).toContain(later)
})

test('the entry of the release before this one is trusted', () => {
  // As it was written at commit ed408d6.
  const recorded =
    'threefold.device=CxzrnjtJ.BRYXgL1ZlJ87Bsnw.dbV0euFGERnKXnzAp55XkWiJc8fiIEDR5hdYND2Wrx8'
  expect(devices.find(recorded, ada)).toBe('BRYXgL1ZlJ87Bsnw')
})

test('text that is no entry is not sent back to the browser', () => {
  const planted = ['a%0d%0aset-cookie: x=y', 'a%3B Domain=threefold.test', 'x'.repeat(4_000)]
  for (const each of planted) {
    const line = devices.issue(`threefold.device=${each}~v2.kept`, ada)
    expect(line).toMatch(/^threefold\.device=[\w.~-]+; Max-Age=31536000; Path=\/; HttpOnly; /)
    expect(line).toContain('~v2.kept;')
    expect(() => new Headers({ 'set-cookie': line })).not.toThrow()
  }
})
