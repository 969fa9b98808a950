import { expect, test, until } from '@repo/testing'
import { type Attempt, claimIdOf, createOnce, fingerprintOf, type OnceOptions } from '../index.ts'
import { failUndecided, faultyStore } from '../memory/faulty-store.fixture.ts'
import { memoryStore } from '../memory/memory-store.ts'

const done = { status: 201, headers: [], body: Buffer.from('done') }
const fingerprint = fingerprintOf({ method: 'POST', target: '/', body: Buffer.from('{}') })
const request = { scope: 'ada', key: 'k-1', fingerprint }

async function begin(options: Partial<OnceOptions> = {}) {
  const once = createOnce({ store: memoryStore(), ...options })
  return { once, attempt: requireAttempt(await once.begin(request)) }
}

function requireAttempt(started: { outcome: string; attempt?: Attempt }): Attempt {
  if (started.attempt) return started.attempt
  throw new Error(`the outcome is ${started.outcome}`)
}

test('a step runs once: later attempts receive its result, also after a release', async () => {
  const store = memoryStore()
  const once = createOnce({ store })
  const results: unknown[] = []
  let charges = 0
  async function run(attempt: Attempt): Promise<never> {
    const step = () =>
      attempt.step('charge', async () => {
        charges += 1
        return { id: charges, at: new Date(0), none: undefined }
      })
    results.push(...(await Promise.all([step(), step()])), await step())
    results.push(await attempt.step('mail', async () => undefined))
    throw new Error('after the charge')
  }
  for (let i = 0; i < 2; i += 1) await expect(once.run(request, run)).rejects.toThrow('after')
  const charge = { id: 1, at: '1970-01-01T00:00:00.000Z' }
  const four = [charge, charge, charge, null]
  expect(results).toEqual([...four, ...four])
  expect(charges).toBe(1)
  await once.close()
})

test('a step that fails runs again in the same attempt', async () => {
  const { once, attempt } = await begin()
  const fail = () => attempt.step('charge', () => Promise.reject(new Error('declined')))
  await expect(fail()).rejects.toThrow('declined')
  expect(await attempt.step('charge', async () => 1)).toBe(1)
  await expect(attempt.step('big', async () => 1n)).rejects.toMatchObject({ code: 'bad-argument' })
  await attempt.complete(done)
  await expect(attempt.step('late', async () => 1)).rejects.toMatchObject({ code: 'closed' })
  await once.close()
})

test('the key of a step for another system is the same in each attempt, and different for other steps, keys and scopes', async () => {
  const { once, attempt } = await begin()
  const key = attempt.downstreamKey('charge')
  await attempt.release()
  const again = requireAttempt(await once.begin(request))
  expect(again.downstreamKey('charge')).toBe(key)
  const others = [again.downstreamKey('charge2')]
  for (const change of [{ scope: 'adak' }, { key: '-1' }, { scope: 'ad', key: 'ak-1' }]) {
    const other = requireAttempt(await once.begin({ ...request, ...change }))
    others.push(other.downstreamKey('charge'))
    await other.release()
  }
  await again.release()
  expect(new Set([key, ...others]).size).toBe(5)
  expect(key).toMatch(/^[\w-]{43}$/)
  await once.close()
})

test('the signal of an attempt aborts when another holder has its claim', async () => {
  const { store, faults } = faultyStore()
  const { once, attempt } = await begin({ store, leaseMs: 100 })
  expect(attempt.signal.aborted).toBe(false)
  faults.renew = async (claims) => claims
  await until(() => attempt.signal.aborted)
  expect(attempt.signal.reason).toMatchObject({ code: 'lost' })
  await once.close()
})

test('a lease is renewed while the work runs, and the attempt of a frozen instance is taken over', async () => {
  let nowMs = 0
  const { store, inner, faults } = faultyStore(memoryStore({ now: () => nowMs }))
  const { once, attempt } = await begin({ store, leaseMs: 300 })
  let renewals = 0
  faults.renew = (claims, leaseMs) => {
    renewals += 1
    nowMs += 200
    return inner.renew(claims, leaseMs)
  }
  await until(() => renewals >= 5)
  const next = createOnce({ store })
  expect(await next.begin(request)).toMatchObject({ outcome: 'conflict' })
  faults.renew = async () => []
  nowMs += 300
  const successor = requireAttempt(await next.begin(request))
  expect(successor.number).toBe(2)
  expect(next.stats()).toMatchObject({ takeovers: 1, inFlight: 1 })
  await successor.complete(done)
  expect(await attempt.complete({ ...done, body: Buffer.from('late') })).toEqual(done)
  await Promise.all([once.close(), next.close()])
})

test('I8: a completion that fails for a while is stored as soon as the store decides', async () => {
  const { store, faults } = faultyStore()
  const { once, attempt } = await begin({ store })
  let failures = 0
  faults.complete = (claim, record, ttlMs) => {
    failures += 1
    if (failures > 1) delete faults.complete
    return failures > 1 ? store.complete(claim, record, ttlMs) : failUndecided()
  }
  expect(await attempt.complete(done)).toBe(done)
  expect(once.stats()).toMatchObject({ uncompleted: 0, storeErrors: { complete: 1 } })
  expect(await once.begin(request)).toMatchObject({ outcome: 'replayed' })
  await once.close()
})

test('I8: while a completion fails, the claim is renewed, so that no retry runs', async () => {
  let nowMs = 0
  const { store, inner, faults } = faultyStore(memoryStore({ now: () => nowMs }))
  const { once, attempt } = await begin({ store, leaseMs: 300 })
  faults.complete = failUndecided
  await attempt.complete(done)
  let renewals = 0
  faults.renew = (claims, leaseMs) => {
    renewals += 1
    nowMs += 200
    return inner.renew(claims, leaseMs)
  }
  await until(() => renewals >= 5)
  const other = createOnce({ store: inner })
  expect(await other.begin(request)).toMatchObject({ outcome: 'conflict' })
  delete faults.complete
  await until(() => once.stats().uncompleted === 0)
  expect(await other.begin(request)).toMatchObject({ outcome: 'replayed' })
  await Promise.all([once.close(), other.close()])
})

test('close waits for running attempts and for completions, and then begins nothing', async () => {
  const { store, faults } = faultyStore()
  const { once, attempt } = await begin({ store, graceMs: 60_000 })
  faults.complete = failUndecided
  const closed = once.close()
  await expect(once.begin({ ...request, key: 'k-2' })).rejects.toMatchObject({ code: 'closed' })
  await attempt.complete(done)
  delete faults.complete
  await closed
  expect(once.stats()).toMatchObject({ inFlight: 0, uncompleted: 0 })
  expect(await createOnce({ store }).begin(request)).toMatchObject({ outcome: 'replayed' })
})

test('close ends after its grace although an attempt runs, whose claim then ends with its lease', async () => {
  const { once } = await begin({ graceMs: 0 })
  await once.close()
  expect(once.stats().inFlight).toBe(1)
})

test('work that throws after its point of no return is stored as 500, and does not run again', async () => {
  const once = createOnce({ store: memoryStore() })
  let runs = 0
  const run = () =>
    once.run(request, async (attempt) => {
      runs += 1
      attempt.pointOfNoReturn()
      throw new Error('after the charge')
    })
  await expect(run()).rejects.toThrow('after the charge')
  expect(await run()).toMatchObject({ outcome: 'replayed', response: { status: 500 } })
  expect(runs).toBe(1)
  await once.close()
})

test('a claim is not renewed after its release was sent', async () => {
  const { store, inner, faults } = faultyStore()
  const once = createOnce({ store, leaseMs: 100 })
  const attempt = requireAttempt(await once.begin(request))
  const other = requireAttempt(await once.begin({ ...request, key: 'k-2' }))
  const renewed: string[][] = []
  faults.renew = async (claims, leaseMs) => {
    renewed.push(claims.map(({ id }) => id))
    return inner.renew(claims, leaseMs)
  }
  const gate = Promise.withResolvers<undefined>()
  faults.release = () => gate.promise
  const released = attempt.release()
  await until(() => renewed.length > 1)
  expect(renewed.flat()).not.toContain(claimIdOf(request.scope, request.key))
  gate.resolve(undefined)
  await Promise.all([released, other.release()])
  await once.close()
})
