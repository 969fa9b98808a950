import { expect, test } from 'vitest'
import {
  again,
  beginAfterLease,
  finish,
  LEASE_MS,
  newClaim,
  type Open,
  passShortLeases,
  type StoreTraits,
} from './open.ts'

const RECORD = Buffer.from('the response')
const WINNER = Buffer.from('the response of the winner')

/** The tests of claims that are leases. */
export function describeClaims(open: Open, { canForget }: StoreTraits): void {
  test('exactly one of 100 concurrent claims of a key on two instances is claimed', async () => {
    const { store, other } = await open()
    const claim = newClaim()
    const begun = await Promise.all(
      Array.from({ length: 100 }, (_, i) => (i % 2 ? store : other).begin(again(claim), LEASE_MS)),
    )
    expect(begun.filter(({ outcome }) => outcome === 'claimed')).toHaveLength(1)
    expect(begun.filter(({ outcome }) => outcome === 'pending')).toHaveLength(99)
  })

  test('a claimed key is pending for the rest of its lease', async () => {
    const { store, other } = await open()
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    const begun = await other.begin(again(claim), LEASE_MS)
    expect(begun.outcome).toBe('pending')
    if (begun.outcome !== 'pending') return
    expect(begun.retryAfterMs).toBeGreaterThan(0)
    expect(begun.retryAfterMs).toBeLessThanOrEqual(LEASE_MS)
  })

  test('another request with the key of a running one is a mismatch, also after its lease', async () => {
    const { store, other } = await open()
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    const changed = newClaim({ id: claim.id, body: 'other' })
    expect(await other.begin(changed, LEASE_MS)).toEqual({ outcome: 'mismatch' })
    expect(await finish(store, claim, RECORD)).toEqual({ outcome: 'stored' })

    const abandoned = newClaim()
    await store.begin(abandoned, 1)
    const after = newClaim({ id: abandoned.id, body: 'other' })
    expect(await beginAfterLease(other, again(abandoned), 1)).toMatchObject({ attempt: 2 })
    await passShortLeases(other)
    expect(await beginAfterLease(other, after)).toEqual({ outcome: 'mismatch' })
  })

  test('after a release the next attempt is the first one', async () => {
    const { store, other } = await open()
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    await store.release(claim)
    const next = newClaim({ id: claim.id, body: 'other' })
    expect(await other.begin(next, LEASE_MS)).toEqual({ outcome: 'claimed', attempt: 1 })
  })

  test('after its lease a claim is taken over, and the attempts are counted', async () => {
    const { store, other } = await open()
    const claim = newClaim()
    await store.begin(claim, 1)
    const second = again(claim)
    expect(await beginAfterLease(other, second, 1)).toEqual({ outcome: 'claimed', attempt: 2 })
    const third = await beginAfterLease(store, again(claim))
    expect(third).toEqual({ outcome: 'claimed', attempt: 3 })
  })

  test('a holder whose lease has ended completes if no other one has taken over', async () => {
    const { store, other } = await open()
    const claim = newClaim()
    await store.begin(claim, 1)
    await passShortLeases(other)
    expect(await finish(store, claim, RECORD)).toEqual({ outcome: 'stored' })
    const replay = await other.begin(again(claim), LEASE_MS)
    expect(replay).toEqual({ outcome: 'completed', record: RECORD })
  })

  test('an earlier holder can neither complete, release nor renew the claim of its successor', async () => {
    const { store, other } = await open()
    const zombie = newClaim()
    await store.begin(zombie, 1)
    const winner = again(zombie)
    await beginAfterLease(other, winner)
    expect((await finish(store, zombie, RECORD)).outcome).not.toMatch(/stored|healed/)
    await store.release(zombie)
    expect(await store.renew([zombie], LEASE_MS)).toEqual([zombie])
    expect(await store.begin(again(zombie), LEASE_MS)).toMatchObject({ outcome: 'pending' })
    expect(await finish(other, winner, WINNER)).toEqual({ outcome: 'stored' })
    const late = await finish(store, zombie, RECORD)
    expect(late).toEqual({ outcome: 'completed', record: WINNER })
  })

  test('a renewal prolongs the claims of this holder, and returns those of another one', async () => {
    const { store, other } = await open()
    const [held, lost] = [newClaim(), newClaim()]
    await store.begin(held, 2_000)
    await store.begin(lost, 1)
    await beginAfterLease(other, again(lost))
    expect(await store.renew([lost, held], LEASE_MS)).toEqual([lost])
    const begun = await other.begin(again(held), LEASE_MS)
    if (begun.outcome === 'pending') expect(begun.retryAfterMs).toBeGreaterThan(10_000)
    expect(begun.outcome).toBe('pending')
  })

  test('a renewal of 450 claims prolongs each', async () => {
    const { store, other } = await open()
    const claims = Array.from({ length: 450 }, () => newClaim())
    await Promise.all(claims.map((claim) => store.begin(claim, 20_000)))
    expect(await store.renew(claims, LEASE_MS)).toEqual([])
    const begun = await Promise.all(claims.map((claim) => other.begin(again(claim), LEASE_MS)))
    const prolonged = begun.filter(
      (each) => each.outcome === 'pending' && each.retryAfterMs > 20_000,
    )
    expect(prolonged).toHaveLength(450)
  })

  if (canForget) describeLosses(open)
}

/** The tests of a store that can lose its memory. */
function describeLosses(open: Open): void {
  test('a completion whose claim was lost is stored as healed', async () => {
    const { store, other, forget } = await open()
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    await forget(claim)
    expect(await store.complete(claim, RECORD, 60_000)).toEqual({ outcome: 'healed' })
    const replay = await other.begin(again(claim), LEASE_MS)
    expect(replay).toEqual({ outcome: 'completed', record: RECORD })
  })

  test('a renewal writes a lost claim again', async () => {
    const { store, other, forget } = await open()
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    await forget(claim)
    expect(await store.renew([claim], LEASE_MS)).toEqual([])
    expect(await other.begin(again(claim), LEASE_MS)).toMatchObject({ outcome: 'pending' })
    expect(await store.complete(claim, RECORD, 60_000)).toEqual({ outcome: 'stored' })
  })

  test('a holder whose claim was lost and claimed by another one is refused', async () => {
    const { store, other, forget } = await open()
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    await forget(claim)
    const winner = again(claim)
    expect(await other.begin(winner, LEASE_MS)).toEqual({ outcome: 'claimed', attempt: 1 })
    expect(await store.complete(claim, RECORD, 60_000)).toEqual({ outcome: 'lost' })
    expect(await other.complete(winner, WINNER, 60_000)).toEqual({ outcome: 'stored' })
    const late = await store.complete(claim, RECORD, 60_000)
    expect(late).toEqual({ outcome: 'completed', record: WINNER })
  })

  test('a holder never receives the record of another request with its key', async () => {
    const { store, other, forget } = await open()
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    await forget(claim)
    const changed = newClaim({ id: claim.id, body: 'other' })
    await other.begin(changed, LEASE_MS)
    await other.complete(changed, WINNER, 60_000)
    expect(await store.complete(claim, RECORD, 60_000)).toEqual({ outcome: 'lost' })
  })
}
