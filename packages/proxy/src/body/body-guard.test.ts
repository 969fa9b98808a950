import { expect, test } from 'vitest'
import { BodyGuard, type GuardedBody } from './body-guard.ts'

const limits = {
  maxBufferedBytes: 1_000_000,
  streamedBodiesPerClient: 2,
  slowBodies: { bytesPerSecond: 1_000, windowMs: 5_000, perClient: 2 },
}

interface TestBody extends GuardedBody {
  refused: string | undefined
}

/** Enters bodies of one client, and sweeps after each second in which they sent these bytes. */
function sweepBodies(guard: BodyGuard, rates: number[], seconds: number, isAwaited = true) {
  const bodies = rates.map((): TestBody => {
    const body: TestBody = {
      client: 'a',
      memberIndex: -1,
      isAwaited,
      windowBytes: 0,
      windowMs: -1,
      refused: undefined,
      refuse(code) {
        guard.leave(body)
        body.refused = code
      },
    }
    guard.enter(body)
    return body
  })
  guard.sweep()
  for (let i = 0; i < seconds; i += 1) {
    bodies.forEach((body, at) => (body.windowBytes += rates[at] ?? 0))
    guard.sweep()
  }
  return bodies.map(({ refused }) => refused)
}

test('a body below the lowest rate is refused after the window, and one at the rate never', () => {
  expect(sweepBodies(new BodyGuard(limits), [999, 1_000], 4)).toEqual([undefined, undefined])
  expect(sweepBodies(new BodyGuard(limits), [999, 1_000], 5)).toEqual(['body_too_slow', undefined])
  expect(sweepBodies(new BodyGuard(limits), [1_000], 100)).toEqual([undefined])
})

test('a body that the proxy does not read, because its instance is slow, is not refused', () => {
  expect(sweepBodies(new BodyGuard(limits), [0, 0, 0, 0], 100, false)).toEqual(
    Array.from({ length: 4 }, () => undefined),
  )
})

test('a client can send two slow bodies, and any number of fast ones', () => {
  const rates = [2_000, 100_000, 2_000, 100_000, 2_000, 100_000]
  expect(sweepBodies(new BodyGuard(limits), rates, 1)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    'too_many_bodies',
    undefined,
  ])
})

test('a mutant without a number for each client keeps all slow bodies', () => {
  const mutant = new BodyGuard({
    ...limits,
    slowBodies: { ...limits.slowBodies, perClient: 1_000 },
  })
  expect(sweepBodies(mutant, [2_000, 2_000, 2_000], 1)).not.toContain('too_many_bodies')
})

test('a client can stream two bodies, and the third one after one of them has ended', () => {
  const guard = new BodyGuard(limits)
  expect(guard.enterStream('a')).toBeUndefined()
  expect(guard.enterStream('a')).toBeUndefined()
  expect(guard.enterStream('a')).toBe('too_many_bodies')
  expect(guard.enterStream('b')).toBeUndefined()
  guard.leaveStream('a')
  expect(guard.enterStream('a')).toBeUndefined()
  for (const client of ['a', 'a', 'b']) guard.leaveStream(client)
  expect(guard.bufferedBytes).toBe(0)
})

test('the memory of all bodies has a limit, and is returned', () => {
  const guard = new BodyGuard(limits)
  expect(guard.reserve(1_000_000)).toBe(true)
  expect(guard.reserve(1)).toBe(false)
  expect(guard.enterStream('a')).toBe('overloaded')
  guard.release(1)
  expect(guard.reserve(1)).toBe(true)
})
