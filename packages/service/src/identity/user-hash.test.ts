import { expect, test } from '@repo/testing'
import { createIdentities } from './identity.ts'
import { createUserHash } from './user-hash.ts'

const secret = 'a secret of at least thirty-two characters'
const ids = Array.from({ length: 50_000 }, (_, at) => `user-${at}`)

test('all instances with one secret have the same hash of a user, and other secrets another one', () => {
  const [first, second] = [createUserHash(secret), createUserHash(secret)]
  const service = createIdentities({ secret, upstream: 'payments' })
  const other = createUserHash(`${secret}!`)
  for (const id of ids.slice(0, 100)) {
    expect(first(id)).toMatch(/^[\w-]{16}$/)
    expect([second(id), service.hashUser(id)]).toEqual([first(id), first(id)])
    expect(other(id)).not.toBe(first(id))
    expect(first(id)).not.toContain(id)
  }
})

test('50,000 users have 50,000 hashes, which are the same after the cache has dropped them', () => {
  const hashUser = createUserHash(secret)
  const hashes = ids.map(hashUser)
  expect(new Set(hashes).size).toBe(ids.length)
  expect(ids.map(hashUser)).toEqual(hashes)
})
