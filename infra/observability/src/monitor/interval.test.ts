import { expect, test } from '@repo/testing'
import { between } from './interval.ts'
import { fineReading } from './site.fixture.ts'
import type { Reading } from './site.ts'
import { verdictsOf } from './verdicts.ts'

const MINUTE_MS = 60_000

/** A reading one minute after `fineReading`. */
function later(change: (validations: Reading['figures']['authentication']['validations']) => void) {
  const reading = fineReading()
  reading.figures.authentication.uptime.milliseconds += MINUTE_MS
  change(reading.figures.authentication.validations)
  return reading
}

const crossedOf = (reading: Reading) =>
  verdictsOf(reading)
    .filter(({ isCrossed }) => isCrossed)
    .map(({ figure }) => figure)

test('a fault of the last minute crosses thresholds that the figures since the start do not cross', () => {
  const before = fineReading()
  before.figures.authentication.validations.total = 100_000
  before.figures.authentication.validations.cacheHits = 98_000
  const after = later((validations) => {
    validations.total = 100_200
    validations.cacheHits = 98_050
    validations.failures = 40
    validations.averageTimeMs = 2.2
  })
  expect(crossedOf(after)).toEqual([])
  const interval = between(before, after)!
  expect(interval.figures.authentication.validations).toMatchObject({
    total: 200,
    cacheHits: 50,
    cacheMisses: 150,
    cacheHitRate: 25,
    failures: 40,
    averagePerHour: 12_000,
  })
  expect(crossedOf(interval)).toEqual([
    'cache hit rate',
    'average time of a check',
    'checks without a result',
  ])
})

test('an outage in which each check fails crosses the threshold of checks without a result', () => {
  const after = later((validations) => (validations.failures += 100))
  expect(crossedOf(between(fineReading(), after)!)).toEqual(['checks without a result'])
})

test('an interval without a check, after a fault, crosses no threshold', () => {
  const faulty = fineReading()
  faulty.figures.authentication.validations.failures = 500
  faulty.figures.authentication.users.deletedDetected = 500
  expect(crossedOf(faulty)).not.toEqual([])
  const after = structuredClone(faulty)
  after.figures.authentication.uptime.milliseconds += MINUTE_MS
  expect(crossedOf(between(faulty, after)!)).toEqual([])
})

test('the rounding of the averages since the start crosses no threshold of an interval', () => {
  const before = fineReading()
  Object.assign(before.figures.authentication.validations, { total: 1e8, cacheHits: 1e8 })
  // All checks take 2 ms, and the later average is rounded up.
  const after = later((validations) =>
    Object.assign(validations, { total: 1e8 + 100, cacheHits: 1e8 + 100, averageTimeMs: 2.000_5 }),
  )
  const interval = between(before, after)!
  expect(interval.figures.authentication.validations.averageTimeMs).toBe(0)
  expect(crossedOf(interval)).toEqual([])
})

test.for([
  ['the start is another one', (r) => (r.figures.authentication.uptime.startTime = 'later')],
  ['the scope is another one', (r) => (r.figures.scope = 'instance')],
  ['a counter is smaller', (r) => (r.figures.authentication.validations.total -= 1)],
  ['no time has passed', (r) => (r.figures.authentication.uptime.milliseconds -= MINUTE_MS)],
] satisfies [string, (reading: Reading) => unknown][])(
  'two readings are not compared when %s',
  ([, change]) => {
    const after = later(() => undefined)
    expect(between(fineReading(), after)).toBeDefined()
    change(after)
    expect(between(fineReading(), after)).toBeUndefined()
  },
)
