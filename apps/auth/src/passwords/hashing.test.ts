import { expect, test } from '@repo/testing'
import { createPasswords } from './hashing.ts'

test('a burst of sign-ins leaves threads for other work', async () => {
  const passwords = createPasswords()
  const hash = await passwords.hash('three-of-everything')
  let checked = 0
  const burst = Array.from({ length: 12 }, async () => {
    const right = await passwords.verify({ hash, password: 'three-of-everything' })
    checked += 1
    return right
  })
  // As PostgreSQL's login does, on the same threads.
  const key = await crypto.subtle.importKey('raw', Buffer.from('proof'), 'PBKDF2', false, [
    'deriveBits',
  ])
  const params = { name: 'PBKDF2', hash: 'SHA-256', salt: Buffer.from('salt'), iterations: 4_096 }
  await crypto.subtle.deriveBits(params, key, 256)
  expect(checked).toBeLessThan(6)
  expect(await Promise.all(burst)).toEqual(Array(12).fill(true))
})
