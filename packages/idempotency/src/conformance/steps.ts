import { expect, test } from 'vitest'
import { again, beginAfterLease, finish, LEASE_MS, newClaim, type Open } from './open.ts'

/** The tests of results of steps. */
export function describeSteps(open: Open): void {
  test('the next attempt reads the steps of earlier ones, after a release and after a takeover', async () => {
    const { store, other } = await open()
    const first = newClaim()
    await store.begin(first, LEASE_MS)
    await store.writeStep(first, 'charge', '{"id":1}')
    await store.release(first)
    const second = again(first)
    await other.begin(second, 1)
    await other.writeStep(second, '__proto__', '"é\\u0000"')
    const third = again(first)
    await beginAfterLease(store, third)
    const steps = await store.readSteps(third)
    expect([...steps].toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual([
      ['__proto__', '"é\\u0000"'],
      ['charge', '{"id":1}'],
    ])
  })

  test('an earlier holder cannot write a step of its successor, nor after the completion', async () => {
    const { store, other } = await open()
    const zombie = newClaim()
    await store.begin(zombie, 1)
    const winner = again(zombie)
    await beginAfterLease(other, winner)
    const lost = { code: 'lost' }
    await expect(store.writeStep(zombie, 'charge', '1')).rejects.toMatchObject(lost)
    expect([...(await other.readSteps(winner))]).toEqual([])
    await finish(other, winner, Buffer.from('done'))
    await expect(store.writeStep(zombie, 'charge', '1')).rejects.toMatchObject(lost)
  })

  test('another request with the key reads no steps of the first one', async () => {
    const { store } = await open()
    const first = newClaim()
    await store.begin(first, LEASE_MS)
    await store.writeStep(first, 'charge', '1')
    await store.release(first)
    const other = newClaim({ id: first.id, body: 'other' })
    await store.begin(other, LEASE_MS)
    expect([...(await store.readSteps(other))]).toEqual([])
  })
}
