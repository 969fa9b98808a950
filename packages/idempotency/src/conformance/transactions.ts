import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import {
  again,
  beginAfterLease,
  find,
  LEASE_MS,
  newClaim,
  type Open,
  requireTransactions,
  type StoreTraits,
  TTL_MS,
} from './open.ts'

const TIMES = { leaseMs: LEASE_MS, ttlMs: TTL_MS }
const RECORD = Buffer.from('the committed response')

/** The tests of work that commits with its record. */
export function describeTransactions(open: Open, traits: StoreTraits): void {
  async function openWithWork() {
    const opened = await open()
    const effect = randomUUID()
    async function transact(store = opened.store, claim = newClaim(), record = RECORD) {
      return requireTransactions(store)(claim, TIMES, async (tx) => {
        await opened.writeEffect(tx, effect)
        return { record, result: 'done' }
      })
    }
    return { ...opened, effect, transact, effects: () => opened.countEffects(effect) }
  }

  test('a transaction commits the work and its record together', async () => {
    const { store, other, transact, effects } = await openWithWork()
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    expect(await transact(store, claim)).toEqual({ outcome: 'committed', result: 'done' })
    expect(await effects()).toBe(1)
    const replay = await find(other, again(claim), traits)
    expect(replay).toEqual({ outcome: 'completed', record: RECORD })
  })

  test('an error of the work is thrown unchanged, and nothing is committed', async () => {
    const { store, transact, effects, writeEffect, effect } = await openWithWork()
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    const failure = new Error('no funds')
    const failed = requireTransactions(store)(claim, TIMES, async (tx) => {
      await writeEffect(tx, effect)
      throw failure
    })
    await expect(failed).rejects.toBe(failure)
    expect(await effects()).toBe(0)
    await store.release(claim)
    const next = again(claim)
    expect(await find(store, next, traits)).toMatchObject({ outcome: 'claimed' })
    expect(await transact(store, next)).toMatchObject({ outcome: 'committed' })
    expect(await effects()).toBe(1)
  })

  test('one of 20 concurrent transactions of a key on two instances commits', async () => {
    const { store, other, transact, effects } = await openWithWork()
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    const ended = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        transact(i % 2 ? store : other, i === 0 ? claim : again(claim), Buffer.from(`${i}`)),
      ),
    )
    expect(ended.filter(({ outcome }) => outcome === 'committed')).toHaveLength(1)
    expect(await effects()).toBe(1)
  })

  test('a transaction after the commit of another attempt receives its record and commits nothing', async () => {
    const { store, other, transact, effects } = await openWithWork()
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    await transact(store, claim)
    const late = await transact(other, again(claim), Buffer.from('late'))
    expect(late).toEqual({ outcome: 'completed', record: RECORD })
    expect(await effects()).toBe(1)
  })

  if (traits.claims !== 'leases') return

  test('the writes of a holder that was taken over are rolled back', async () => {
    const { store, other, transact, effects } = await openWithWork()
    const zombie = newClaim()
    await store.begin(zombie, 1)
    const winner = again(zombie)
    await beginAfterLease(other, winner)
    expect((await transact(store, zombie, Buffer.from('zombie'))).outcome).not.toBe('committed')
    expect(await effects()).toBe(0)
    expect(await transact(other, winner)).toMatchObject({ outcome: 'committed' })
    const late = await transact(store, zombie, Buffer.from('zombie'))
    expect(late).toEqual({ outcome: 'completed', record: RECORD })
    expect(await effects()).toBe(1)
  })
}
