import { expect, test } from 'vitest'
import { leastLoaded, usableTargets } from './choose-target.ts'
import type { TargetState } from './target.ts'

const target = (state: TargetState, inFlight = 0) => ({ state, inFlight })

type Choose = typeof leastLoaded

const inTurn: Choose = (targets, turn) => targets[turn % targets.length]

/** Returns the share of 90 requests that a target with 10 stuck requests gets, of three targets. */
function shareOfStuck(choose: Choose): number {
  const targets = [target('healthy', 10), target('healthy'), target('healthy')]
  const chosen = Array.from({ length: 90 }, (_, turn) => choose(targets, turn))
  return chosen.filter((each) => each === targets[0]).length
}

test('a target whose requests are stuck gets no further ones', () => {
  expect(shareOfStuck(leastLoaded)).toBe(0)
})

test('a mutant that ignores requests in flight sends more to a stuck target', () => {
  expect(shareOfStuck(inTurn)).toBe(30)
})

test('equal targets are used in turn', () => {
  const targets = [target('healthy'), target('healthy'), target('healthy')]
  const chosen = [0, 1, 2, 3].map((turn) => leastLoaded(targets, turn))
  expect(chosen.map((each) => each && targets.indexOf(each))).toEqual([0, 1, 2, 0])
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
