import { spawnSync } from 'node:child_process'
import { Redis } from 'ioredis'
import { expect, test } from '../index.ts'
import { createComparison } from './compare.ts'
import { NOTHING } from './contender.ts'
import { type Round, startFleet } from './fleet.ts'
import { nextGapMs } from './loop/arrivals.ts'
import { findHighestRate } from './loop/highest-rate.ts'
import { readOptions } from './options.ts'
import { insertFigures } from './report/document.ts'
import { comparisonTable, isMet } from './report/report.ts'
import { estimate, outsideBound, percentile } from './report/statistics.ts'

const program = new URL('contenders.fixture.ts', import.meta.url)

function part(name: string, text: string): string {
  return `<!-- begin ${name} -->\n\n${text}\n\n<!-- end ${name} -->`
}

function roundOf(clientUs: number): Round {
  const latency = { p50Ms: 1, p99Ms: 2 }
  return {
    operations: 1,
    perSecond: 1,
    clientUs,
    redisUs: 1,
    utilisation: 0.1,
    overrunMs: 1,
    ...latency,
  }
}

/** The server of a fleet. The CPU time of the test's server is always 0. */
function serverOf(url: string) {
  return { url, kind: 'test', cpuUs: async () => 0, flush: async () => {}, stop: async () => {} }
}

test('each arrival of an open loop on three processes is answered exactly once', async ({
  redisUrl,
}) => {
  const server = serverOf(redisUrl)
  const fleet = await startFleet({ program, contender: 'count in Redis', instances: 3, server })
  const redis = new Redis(redisUrl)
  await redis.flushall()
  const round = await fleet.open({ rate: 400, ms: 300 })
  expect(Number(await redis.get('operations'))).toBe(round.operations)
  expect(await redis.scard('numbers')).toBe(round.operations)
  expect(round.operations).toBeGreaterThan(0)
  expect(round.clientUs).toBeGreaterThan(0)
  expect(round.p99Ms).toBeGreaterThanOrEqual(round.p50Ms)
  const closed = await fleet.closed({ inFlight: 4, ms: 100 })
  expect(Number(await redis.get('operations'))).toBe(round.operations + closed.operations)
  await fleet.close()
  redis.disconnect()
})

test('a closed loop runs operations of nanoseconds in batches, and the generator runs alone', async ({
  redisUrl,
}) => {
  const server = serverOf(redisUrl)
  const batches = await startFleet({ program, contender: 'count in turns', instances: 1, server })
  const round = await batches.closed({ inFlight: 64, ms: 50 })
  expect(round.operations % 1_000).toBe(0)
  expect(round.p50Ms).toBeNaN()
  await batches.close()
  const idle = await startFleet({ program, contender: NOTHING, instances: 1, server })
  const { operations, utilisation } = await idle.open({ rate: 1_000, ms: 200 })
  expect(operations).toBeGreaterThan(0)
  expect(utilisation).toBeGreaterThan(0)
  await idle.close()
})

test('a contender that fails, or that no program has, ends the measurement with its error', async ({
  redisUrl,
}) => {
  const server = serverOf(redisUrl)
  const failing = startFleet({ program, contender: 'failing', instances: 1, server })
  await expect(failing).rejects.toMatchObject({ cause: { message: 'no answer', code: 'broken' } })
  const missing = startFleet({ program, contender: 'missing', instances: 1, server })
  await expect(missing).rejects.toThrow(/No contender is named "missing"/)
})

test('the gaps between arrivals are exponential', () => {
  const steps = 10_000
  const gaps = Array.from({ length: steps }, (_, i) => nextGapMs(1_000, () => (i + 0.5) / steps))
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / steps
  expect(mean).toBeCloseTo(1, 2)
  expect(percentile(gaps, 0.5)).toBeCloseTo(Math.LN2, 2)
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / steps
  expect(variance).toBeCloseTo(1, 1)
})

test('the 95 % bound of a median excludes the largest possible number of rounds', () => {
  // At most k of n fair coins show one side: 2 * P(k) <= 5 %.
  expect([5, 6, 8, 9, 11, 12, 15].map(outsideBound)).toEqual([0, 0, 0, 1, 1, 2, 3])
  expect(estimate([9, 1, 5, 4, 6, 2, 8, 3, 7])).toEqual({
    value: 5,
    low: 2,
    high: 8,
    spreadPercent: 60,
  })
})

test('a ratio compares contenders within a round, so that a slow round of both does not show', () => {
  const measured = new Map([
    ['ours', [1, 10, 2].map(roundOf)],
    ['peer', [2, 20, 4].map(roundOf)],
    ['base', [0.5, 0, 1].map(roundOf)],
  ])
  const comparison = createComparison('title', 'peer', measured)
  expect(comparison.ratio('ours', 'clientUs')).toMatchObject({ value: 0.5, spreadPercent: 0 })
  expect(comparison.figure('ours', 'clientUs').value).toBe(2)
  expect(comparison.difference('ours', 'clientUs')).toMatchObject({ value: -2 })
  const above = comparison.ratioAbove('ours', 'clientUs', 'base')
  expect(above).toMatchObject({ value: 1 / 3, low: 1 / 3, high: 0.5 })
  expect(() => comparison.figure('other', 'clientUs')).toThrow('"title" has no contender "other"')
  const measuredRatio = comparison.ratio('ours', 'clientUs')
  expect(isMet({ measured: measuredRatio, comparison: '<=', target: 0.5 })).toBe(true)
  expect(isMet({ measured: measuredRatio, comparison: '>=', target: 0.6 })).toBe(false)
})

test('the table names the servers whose CPU is compared: Redis, or Redis with another one', () => {
  const measured = new Map([['ours', [roundOf(1)]]])
  const head = (servers?: string) =>
    comparisonTable(createComparison('title', 'ours', measured, servers)).split('\n', 1)[0]
  expect(head()).toContain('| Redis µs |')
  expect(head('Redis and PostgreSQL')).toContain('| Redis and PostgreSQL µs |')
})

test('the highest rate is found within a sixteenth, from rates that keep up and leave 30 %', async () => {
  const probed: number[] = []
  const rate = await findHighestRate(async (tried) => {
    probed.push(tried)
    return { utilisation: tried / 10_000, isKeepingUp: tried < 50_000 }
  })
  expect(rate).toBeLessThan(7_000)
  expect(rate).toBeGreaterThan(6_700)
  expect(probed.slice(0, 5)).toEqual([500, 1_000, 2_000, 4_000, 8_000])
  const late = await findHighestRate(async (tried) => ({
    utilisation: 0,
    isKeepingUp: tried <= 3_000,
  }))
  expect(late).toBe(3_000)
  expect(await findHighestRate(async () => ({ utilisation: 1, isKeepingUp: true }))).toBe(0)
})

test('an option that is not a number is named', () => {
  expect(
    readOptions(['--only', 'a', '--only', 'b', '--rounds', '7', '--ms', '50', '--rate', '9']),
  ).toEqual({ only: ['a', 'b'], rounds: 7, closedMs: 50, openMs: 50, rates: [9], json: false })
  expect(() => readOptions(['--rounds', 'many'])).toThrow('--rounds must be a number above 0')
  expect(() => readOptions(['--rate', '200,0'])).toThrow('--rate must be a number above 0')
  expect(() => readOptions(['--rnds', '3'])).toThrow('--rnds')
})

test('an unknown name of a bench is refused with the list of names and options', () => {
  const main = new URL('main.ts', import.meta.url).pathname
  const { status, stderr } = spawnSync(process.execPath, [main, 'proxi'], { encoding: 'utf8' })
  expect(status).toBe(64)
  expect(stderr).toMatch(
    /No package has a bench named "proxi"\. Names: .*proxy, .*ratelimit.*, all/,
  )
  expect(stderr).toContain('--rounds N')
})

test('figures replace those of their package in the document, and no others', () => {
  const document = `# Title\n${part('proxy', 'old')}\n${part('redis', 'old')}\n`
  const expected = `# Title\n${part('proxy', 'old')}\n${part('redis', '| new |')}\n`
  expect(insertFigures(document, 'redis', '| new |\n\n')).toBe(expected)
  expect(() => insertFigures(document, 'session', 'new')).toThrow(
    /no part "<!-- begin session -->"/,
  )
})
