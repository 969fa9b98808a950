import { expect, test } from 'vitest'
import { again, find, finish, newClaim, type Open, type StoreTraits } from './open.ts'

const RECORD = Buffer.from('the response')

/** Each byte, in both orders, so that no pair is a valid text. */
const BYTES = Buffer.from(Array.from({ length: 512 }, (_, i) => (i < 256 ? i : 511 - i)))

/** The tests of records of responses. */
export function describeRecords(open: Open, traits: StoreTraits): void {
  test.each([
    ['with every byte', BYTES],
    ['without a byte', Buffer.alloc(0)],
    ['with 1 MiB', Buffer.alloc(1_048_576, BYTES)],
    ['that looks like a number', Buffer.from('0')],
  ])('a record %s is replayed unchanged on every instance', async (_, record) => {
    const { store, other } = await open()
    const claim = newClaim()
    expect(await find(store, claim, traits)).toEqual({ outcome: 'claimed', attempt: 1 })
    expect(await finish(store, claim, record)).toEqual({ outcome: 'stored' })
    for (const reader of [store, other]) {
      const begun = await find(reader, again(claim), traits)
      expect(begun.outcome).toBe('completed')
      if (begun.outcome === 'completed') expect(begun.record.equals(record)).toBe(true)
    }
  })

  test('another request with the key of a completed one is a mismatch and changes nothing', async () => {
    const { store, other } = await open()
    const claim = newClaim()
    await find(store, claim, traits)
    await finish(store, claim, RECORD)
    const changed = newClaim({ id: claim.id, body: 'other' })
    expect(await find(other, changed, traits)).toEqual({ outcome: 'mismatch' })
    const replay = await find(other, again(claim), traits)
    expect(replay).toEqual({ outcome: 'completed', record: RECORD })
  })

  test('equal requests with two keys are both run', async () => {
    const { store } = await open()
    for (const claim of [newClaim(), newClaim()]) {
      expect(await find(store, claim, traits)).toMatchObject({ outcome: 'claimed' })
      expect(await finish(store, claim, RECORD)).toEqual({ outcome: 'stored' })
    }
  })

  test('the first record of a key is final', async () => {
    const { store, other } = await open()
    const claim = newClaim()
    await find(store, claim, traits)
    await finish(store, claim, RECORD)
    const late = again(claim)
    const second = await finish(other, late, Buffer.from('second'))
    expect(second).toEqual({ outcome: 'completed', record: RECORD })
    await other.release(late)
    await store.release(claim)
    const replay = await find(other, again(claim), traits)
    expect(replay).toEqual({ outcome: 'completed', record: RECORD })
  })

  test('after its time to live the key is free for any request', async () => {
    const { store } = await open()
    const claim = newClaim()
    await find(store, claim, traits)
    await finish(store, claim, RECORD, 20)
    const next = newClaim({ id: claim.id, body: 'other' })
    await expect
      .poll(() => find(store, next, traits), { timeout: 30_000 })
      .toEqual({ outcome: 'claimed', attempt: 1 })
    expect(await finish(store, next, RECORD)).toEqual({ outcome: 'stored' })
  })

  test('a store that can decide passes its check', async () => {
    const { store, other } = await open()
    await store.check()
    await other.check()
  })

  if (traits.claims === 'locks') return

  test('a second completion by the same holder changes nothing', async () => {
    const { store } = await open()
    const claim = newClaim()
    await find(store, claim, traits)
    await finish(store, claim, RECORD)
    const second = await finish(store, claim, Buffer.from('second'))
    expect(second.outcome).toMatch(/^(stored|completed)$/)
    const replay = await find(store, again(claim), traits)
    expect(replay).toEqual({ outcome: 'completed', record: RECORD })
  })
}
