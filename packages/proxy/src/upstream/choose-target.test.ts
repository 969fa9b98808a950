import { describe, expect, test } from 'vitest'
import { leastLoaded, usableTargets } from './choose-target.ts'
import type { TargetState } from './target.ts'

const target = (state: TargetState, inFlight = 0) => ({ state, inFlight })

type Choose = typeof leastLoaded

const inTurn: Choose = (targets, turn) => targets[turn % targets.length]

/** How many of 90 requests a target with 10 stuck requests gets beside two that answer at once. */
function shareOfStuck(choose: Choose): number {
  const targets = [target('healthy', 10), target('healthy'), target('healthy')]
  const chosen = Array.from({ length: 90 }, (_, turn) => choose(targets, turn))
  return chosen.filter((each) => each === targets[0]).length
}

describe('leastLoaded', () => {
  test('a target whose requests are stuck gets no more of them', () => {
    expect(shareOfStuck(leastLoaded)).toBe(0)
  })

  test('a mutant that does not count what is in flight fails that property', () => {
    expect(shareOfStuck(inTurn)).toBe(30)
  })

  test('equal targets are used in turn', () => {
    const targets = [target('healthy'), target('healthy'), target('healthy')]
    const chosen = [0, 1, 2, 3].map((turn) => leastLoaded(targets, turn))
    expect(chosen.map((each) => each && targets.indexOf(each))).toEqual([0, 1, 2, 0])
  })
})

describe('usableTargets', () => {
  const [up, ejected, down] = [target('healthy'), target('ejected'), target('down')]

  test('one healthy target of three carries the load alone', () => {
    expect(usableTargets([ejected, up, down], 0)).toEqual([up])
  })

  test('when all are ejected, all are used', () => {
    expect(usableTargets([ejected, ejected], 0)).toEqual([ejected, ejected])
  })

  test('a target that says it is down is not used in a panic', () => {
    expect(usableTargets([ejected, down], 0)).toEqual([ejected])
  })

  test('when all are down, all are used', () => {
    expect(usableTargets([down, down], 0)).toEqual([down, down])
  })

  test('below the panic threshold the ejected are used too', () => {
    expect(usableTargets([up, ejected, ejected], 0.5)).toEqual([up, ejected, ejected])
    expect(usableTargets([up, up, ejected], 0.5)).toEqual([up, up])
  })
})
