import { randomUUID } from 'node:crypto'
import { awakeMs, describe, expect, until } from '@repo/testing'
import { again, newClaim } from '../conformance/open.ts'
import type { Begun, Claim, IdempotencyStore } from '../store.ts'
import type { Attempt, KeyedRequest, Once, Started, StoredResponse } from '../types.ts'
import { beginLate, FAULTS, LEASE_MS, UNAVAILABLE, withFaults } from './faults.fixture.ts'

const TTL_MS = 3_600_000
const RECORD = Buffer.from('the response')

/** Waits until the store decides again. */
function untilDecided(store: IdempotencyStore) {
  return until(() => store.check().then(() => true))
}

const RESPONSE: StoredResponse = {
  status: 201,
  headers: ['location', '/1'],
  body: Buffer.from('1'),
}

function newRequest(): KeyedRequest {
  return { scope: 'user', key: randomUUID(), fingerprint: newClaim().fingerprint }
}

async function startAttempt(once: Once, request: KeyedRequest): Promise<Attempt> {
  const started = await once.begin(request)
  if (started.outcome !== 'claimed') throw new Error(`the key is ${started.outcome}`)
  return started.attempt
}

/** Sends the request until it is no conflict. */
function startUntilDecided(once: Once, request: KeyedRequest): Promise<Started> {
  return until(async () => {
    const started = await once.begin(request)
    return started.outcome !== 'conflict' && started
  })
}

/** Claims the key of a request, as clients that repeat it do until it is claimed or completed. */
async function beginUntilDecided(store: IdempotencyStore, claim: Claim): Promise<Begun> {
  return until(async () => {
    const begun = await store.begin(again(claim), LEASE_MS)
    return begun.outcome !== 'pending' && begun
  })
}

describe.for(Object.entries(FAULTS))('while Redis %s', ([, fault]) => {
  withFaults('every call is unavailable within a second', async ({ open }) => {
    const opened = await open()
    const { store } = opened
    const claim = newClaim()
    await store.begin(claim, LEASE_MS)
    await fault.begin(opened)
    for (let round = 0; round < 4; round += 1) {
      for (const call of [
        () => store.begin(newClaim(), LEASE_MS),
        () => store.complete(claim, RECORD, TTL_MS),
        () => store.release(newClaim()),
        () => store.renew([claim], LEASE_MS),
        () => store.check(),
      ]) {
        const startedMs = awakeMs()
        await expect(call()).rejects.toMatchObject(UNAVAILABLE)
        expect(awakeMs() - startedMs).toBeLessThan(1_000)
      }
    }
    await fault.end(opened)
    await untilDecided(store)
  })

  withFaults(
    'a claim without a reply does not block its key: the next attempt is the first one',
    async ({ open }) => {
      const opened = await open()
      const { store, other } = opened
      const claim = newClaim()
      await fault.begin(opened)
      await expect(store.begin(claim, LEASE_MS)).rejects.toMatchObject(UNAVAILABLE)
      await fault.end(opened)
      const begun = await beginUntilDecided(other, claim)
      expect(begun).toEqual({ outcome: 'claimed', attempt: 1 })
    },
  )

  withFaults(
    'a response is sent at once, and is stored when Redis replies again',
    async ({ open }) => {
      const opened = await open()
      const { once, otherOnce } = opened
      const request = newRequest()
      const attempt = await startAttempt(once, request)
      await fault.begin(opened)
      const startedMs = awakeMs()
      expect(await attempt.complete(RESPONSE)).toBe(RESPONSE)
      expect(awakeMs() - startedMs).toBeLessThan(1_000)
      await fault.end(opened)
      const replay = await startUntilDecided(otherOnce, request)
      expect(replay).toMatchObject({ outcome: 'replayed', response: RESPONSE })
    },
  )

  withFaults('a claim is released when Redis replies again', async ({ open }) => {
    const opened = await open()
    const { once, otherOnce } = opened
    const request = newRequest()
    const attempt = await startAttempt(once, request)
    await fault.begin(opened)
    await attempt.release()
    await fault.end(opened)
    const next = await startUntilDecided(otherOnce, request)
    expect(next).toMatchObject({ outcome: 'claimed', attempt: { number: 1 } })
  })
})

withFaults(
  'a claim that arrives after its withdrawal from a closed connection claims nothing',
  async ({ open }) => {
    const opened = await open()
    const claim = await beginLate(opened)
    const begun = await beginUntilDecided(opened.other, claim)
    expect(begun).toEqual({ outcome: 'claimed', attempt: 1 })
  },
)

withFaults('a withdrawn takeover leaves the number of attempts', async ({ open }) => {
  const { valkey, store, other } = await open()
  const claim = newClaim()
  await other.begin(claim, 1)
  valkey.pause()
  await expect(store.begin(again(claim), LEASE_MS)).rejects.toMatchObject(UNAVAILABLE)
  valkey.resume()
  expect(await beginUntilDecided(other, claim)).toEqual({ outcome: 'claimed', attempt: 2 })
})

withFaults(
  'a response is stored although Redis was killed before the completion and lost its memory',
  async ({ open }) => {
    const { valkey, once, otherOnce, direct } = await open()
    const request = newRequest()
    const attempt = await startAttempt(once, request)
    await valkey.kill('SIGKILL')
    await attempt.complete(RESPONSE)
    await valkey.restart()
    // A client that sends the request before it is stored again runs it: see the limit of this store.
    await until(async () => (await direct.dbsize()) > 0)
    const replay = await startUntilDecided(otherOnce, request)
    expect(replay).toMatchObject({ outcome: 'replayed', response: RESPONSE })
  },
)

describe('these tests detect a store with', () => {
  withFaults('no withdrawal', async ({ open }) => {
    const { valkey, store, other } = await open('no withdrawal')
    const claim = newClaim()
    valkey.pause()
    await expect(store.begin(claim, LEASE_MS)).rejects.toMatchObject(UNAVAILABLE)
    valkey.resume()
    await store.check()
    expect(await other.begin(again(claim), LEASE_MS)).toMatchObject({ outcome: 'pending' })
  })

  withFaults('a withdrawal without a mark', async ({ open }) => {
    const opened = await open('a withdrawal without a mark')
    let outcome = 'claimed'
    // On a busy machine the withdrawal can be the later one.
    for (let tries = 0; tries < 10 && outcome === 'claimed'; tries += 1) {
      const claim = await beginLate(opened)
      outcome = (await opened.other.begin(again(claim), LEASE_MS)).outcome
    }
    expect(outcome).toBe('pending')
  })

  withFaults('no repeated completion', async ({ open }) => {
    const opened = await open('no repeated completion')
    const { proxy, store, once, otherOnce } = opened
    const request = newRequest()
    const attempt = await startAttempt(once, request)
    await proxy.cut()
    await attempt.complete(RESPONSE)
    await proxy.heal()
    await untilDecided(store)
    expect(await otherOnce.begin(request)).toMatchObject({ outcome: 'conflict' })
  })
})
