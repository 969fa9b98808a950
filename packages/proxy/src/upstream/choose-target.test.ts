import { expect, test } from 'vitest'
import { betterOfTwo, type Loaded, usableTargets } from './choose-target.ts'
import type { TargetState } from './target.ts'

const target = (state: TargetState, inFlight = 0) => ({ state, inFlight })

interface Load {
  inFlight?: number
  latencyMs?: number
  weight?: number
  isFull?: boolean
}

function loaded({ inFlight = 0, latencyMs = 0, weight = 1, isFull = false }: Load = {}): Loaded {
  return { inFlight, isFull, latency: { at: () => latencyMs }, weightAt: () => weight }
}

type Choose = (targets: Loaded[], turn: number) => Loaded | undefined

/** Random numbers are evenly spread, so that a share is a fact and no estimate. */
const chosenByTwo: Choose = (targets, turn) => betterOfTwo(targets, turn, 0, (turn * 0.381) % 1)

/** Returns the share of 900 requests that the first of three targets gets. */
function shareOfFirst(choose: Choose, first: Load, others: Load = {}): number {
  const targets = [loaded(first), loaded(others), loaded(others)]
  const chosen = Array.from({ length: 900 }, (_, turn) => choose(targets, turn))
  return chosen.filter((each) => each === targets[0]).length / 900
}

const inTurn: Choose = (targets, turn) => targets[turn % targets.length]

const fewestInFlight: Choose = (targets, turn) =>
  targets
    .map((_, i) => targets[(turn + i) % 3])
    .toSorted((a, b) => inFlightOf(a) - inFlightOf(b))[0]

const inFlightOf = (each: Loaded | undefined) => each?.inFlight ?? 0

test('a target whose requests are stuck gets no further ones', () => {
  expect(shareOfFirst(chosenByTwo, { inFlight: 10 })).toBe(0)
})

test('a mutant that ignores requests in flight sends a third to a stuck target', () => {
  expect(shareOfFirst(inTurn, { inFlight: 10 })).toBeCloseTo(1 / 3)
})

test('a target that is 200 ms slower gets no sequential request', () => {
  expect(shareOfFirst(chosenByTwo, { latencyMs: 205 }, { latencyMs: 5 })).toBe(0)
})

test('a mutant that ignores the latency sends a third of sequential requests to a slow target', () => {
  const share = shareOfFirst(fewestInFlight, { latencyMs: 205 }, { latencyMs: 5 })
  expect(share).toBeCloseTo(1 / 3)
})

test('a slow target gets requests when the others have eight times its requests in flight', () => {
  const busy = { latencyMs: 5, inFlight: 10 }
  expect(shareOfFirst(chosenByTwo, { latencyMs: 200 }, busy)).toBeGreaterThan(1 / 3)
})

test('latencies that differ by noise or by a factor below three are equal', () => {
  expect(shareOfFirst(chosenByTwo, { latencyMs: 24 }, { latencyMs: 1 })).toBeCloseTo(1 / 3)
  expect(shareOfFirst(chosenByTwo, { latencyMs: 290 }, { latencyMs: 100 })).toBeCloseTo(1 / 3)
})

test('a target that starts slowly gets its turn, but no second request in flight', () => {
  expect(shareOfFirst(chosenByTwo, { weight: 10 })).toBeCloseTo(1 / 3)
  expect(shareOfFirst(chosenByTwo, { weight: 10, inFlight: 1 }, { inFlight: 9 })).toBe(0)
  expect(shareOfFirst(chosenByTwo, { weight: 1, inFlight: 1 }, { inFlight: 9 })).toBeGreaterThan(
    0.5,
  )
})

test('a target on probation that has a request gets no second one, unless it is alone', () => {
  expect(shareOfFirst(chosenByTwo, { isFull: true, inFlight: 1 }, { inFlight: 50 })).toBe(0)
  const alone = loaded({ isFull: true, inFlight: 1 })
  expect(betterOfTwo([alone], 7, 0)).toBe(alone)
})

test('equal targets are used in turn', () => {
  const targets = [loaded(), loaded(), loaded()]
  const chosen = [0, 1, 2, 3].map((turn) => betterOfTwo(targets, turn, 0))
  expect(chosen.map((each) => each && targets.indexOf(each))).toEqual([0, 1, 2, 0])
  expect(betterOfTwo([], 0, 0)).toBeUndefined()
})

const [up, ejected, down] = [target('healthy'), target('ejected'), target('down')]

test('one healthy target of three carries the load alone', () => {
  expect(usableTargets([ejected, up, down], 0)).toEqual([up])
})

test('all targets are used when all are ejected', () => {
  expect(usableTargets([ejected, ejected], 0)).toEqual([ejected, ejected])
})

test('a target that is down is not used in a panic', () => {
  expect(usableTargets([ejected, down], 0)).toEqual([ejected])
})

test('all targets are used when all are down', () => {
  expect(usableTargets([down, down], 0)).toEqual([down, down])
})

test('ejected targets are used too below the panic threshold', () => {
  expect(usableTargets([up, ejected, ejected], 0.5)).toEqual([up, ejected, ejected])
  expect(usableTargets([up, up, ejected], 0.5)).toEqual([up, up])
})
