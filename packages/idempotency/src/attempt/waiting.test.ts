import { expect, test, until } from '@repo/testing'
import { createOnce, fingerprintOf } from '../index.ts'
import { failUndecided, faultyStore } from '../memory/faulty-store.fixture.ts'

const done = { status: 201, headers: [], body: Buffer.from('done') }
const fingerprint = fingerprintOf({ method: 'POST', target: '/', body: Buffer.from('{}') })
const request = { scope: 'ada', key: 'k-1', fingerprint }

/** A holder on another instance, and 100 requests that wait on this one. */
async function openWaiting(waitMs: number) {
  const { store, inner, faults } = faultyStore()
  const other = createOnce({ store: inner })
  const once = createOnce({ store, inFlight: { waitMs } })
  const started = await other.begin(request)
  if (started.outcome !== 'claimed') throw new Error('the key is free')
  let polls = 0
  faults.begin = (claim, leaseMs) => {
    polls += 1
    return inner.begin(claim, leaseMs)
  }
  const waiters = Array.from({ length: 100 }, () => once.begin(request))
  await until(() => polls > 100)
  return {
    attempt: started.attempt,
    once,
    faults,
    waiters,
    polls: () => polls,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([other.close(), once.close()])
    },
  }
}

test('100 requests that wait share one poll, and all receive the response', async () => {
  await using scene = await openWaiting(60_000)
  await until(() => scene.polls() > 105)
  const before = scene.polls()
  expect(before).toBeLessThan(150)
  await scene.attempt.complete(done)
  const outcomes = await Promise.all(scene.waiters)
  expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(['waited']))
  expect(scene.polls() - before).toBeLessThan(10)
  expect(scene.once.stats().requests).toMatchObject({ waited: 100, fresh: 0 })
})

test('when the awaited attempt is released, exactly one waiting request runs, and the others wait for it', async () => {
  await using scene = await openWaiting(60_000)
  await scene.attempt.release()
  const first = await Promise.race(scene.waiters)
  expect(first.outcome).toBe('claimed')
  if (first.outcome === 'claimed') await first.attempt.complete(done)
  const outcomes = (await Promise.all(scene.waiters)).map(({ outcome }) => outcome)
  expect(outcomes.filter((outcome) => outcome === 'claimed')).toHaveLength(1)
  expect(outcomes.filter((outcome) => outcome === 'waited')).toHaveLength(99)
})

test('a wait that is too long is a conflict, and the claim of a later poll is not held', async () => {
  await using scene = await openWaiting(20)
  const outcomes = await Promise.all(scene.waiters)
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ outcome: 'conflict', retryAfterMs: expect.any(Number) })
  }
  expect(scene.once.stats().requests.conflict).toBe(100)
  await scene.attempt.release()
  expect(await scene.once.begin(request)).toMatchObject({ outcome: 'claimed' })
})

test('requests that wait are unavailable when the store stops deciding', async () => {
  await using scene = await openWaiting(60_000)
  scene.faults.begin = failUndecided
  const settled = await Promise.allSettled(scene.waiters)
  for (const each of settled) {
    expect(each).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } })
  }
  expect(scene.once.stats().requests.unavailable).toBe(100)
  await scene.attempt.release()
})

test('a claim that arrives when no request waits any more is released', async () => {
  const { store, inner, faults } = faultyStore()
  const other = createOnce({ store: inner })
  const once = createOnce({ store, inFlight: { waitMs: 20 } })
  const started = await other.begin(request)
  const held = Promise.withResolvers<undefined>()
  let polls = 0
  faults.begin = async (claim, leaseMs) => {
    polls += 1
    if (polls > 1) await held.promise
    return inner.begin(claim, leaseMs)
  }
  expect(await once.begin(request)).toMatchObject({ outcome: 'conflict' })
  expect(polls).toBe(2)
  if (started.outcome === 'claimed') await started.attempt.release()
  held.resolve(undefined)
  await until(() => once.stats().released === 1)
  expect(once.stats()).toMatchObject({ inFlight: 0, requests: { fresh: 0, conflict: 1 } })
  expect(await other.begin(request)).toMatchObject({ outcome: 'claimed' })
  await once.close()
})
