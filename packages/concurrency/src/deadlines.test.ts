import { expect, test } from 'vitest'
import { createDeadlines, failuresByTask, setAwakeTimeout } from './index.ts'
import { createManualTicks } from './ticks.fixture.ts'

/** 100 ms are 10 periods of 10 ms, and one more because a call may begin within a period. */
const MS = 100
const TICKS = 11

function fixture() {
  const manual = createManualTicks()
  const rounds: number[] = []
  const onSweep = (late: number) => void rounds.push(late)
  const deadlines = createDeadlines({ ms: MS, onSweep, ticks: manual.source })
  const late: string[] = []
  const start = (name: string) => deadlines.start(() => void late.push(name))
  return { ...manual, deadlines, rounds, late, start }
}

test('a deadline is late after its time, and not before the event loop has read its sockets', () => {
  const { start, tick, poll, late } = fixture()
  start('call')
  tick(TICKS - 1)
  poll()
  expect(late).toEqual([])
  tick()
  expect(late).toEqual([])
  poll()
  expect(late).toEqual(['call'])
})

test('a deadline that ends between its last tick and the sweep is in time', () => {
  const { start, deadlines, tick, poll, late, rounds } = fixture()
  const deadline = start('call')
  tick(TICKS)
  expect(deadlines.end(deadline)).toBe(true)
  poll()
  expect([late, rounds]).toEqual([[], []])
})

test('a late deadline has ended: its end returns false and its callback does not run again', () => {
  const { start, deadlines, tick, poll, late } = fixture()
  const deadline = start('call')
  tick(TICKS)
  poll()
  expect(deadlines.end(deadline)).toBe(false)
  tick(5 * TICKS)
  poll()
  expect([late, deadlines.outstanding]).toEqual([['call'], 0])
})

test('a later deadline is late in a later sweep, and each sweep is one round', () => {
  const { start, tick, poll, late, rounds } = fixture()
  for (const name of ['a', 'b', 'c']) start(name)
  tick(3)
  start('d')
  tick(TICKS - 3)
  poll()
  expect([late, rounds]).toEqual([['a', 'b', 'c'], [3]])
  tick(3)
  poll()
  expect([late, rounds]).toEqual([
    ['a', 'b', 'c', 'd'],
    [3, 1],
  ])
})

test('deadlines are found late in one sweep after any number of ticks before the poll', () => {
  const { start, tick, poll, rounds } = fixture()
  start('a')
  start('b')
  tick(3 * TICKS)
  poll()
  expect(rounds).toEqual([2])
})

test('a callback of a late deadline that throws does not stop the others, and is counted', async () => {
  const { start, deadlines, tick, poll, late, rounds } = fixture()
  const before = failuresByTask().get('deadlines') ?? 0
  deadlines.start(() => {
    throw new Error('a bug')
  })
  start('other')
  tick(TICKS)
  poll()
  expect([late, rounds]).toEqual([['other'], [2]])
  deadlines.start(() => Promise.reject(new Error('a bug')))
  tick(TICKS)
  poll()
  await new Promise((resolve) => setImmediate(resolve))
  expect(failuresByTask().get('deadlines')).toBe(before + 2)
})

test('a deadline that begins in the callback of a late deadline has its whole time', () => {
  const { start, deadlines, tick, poll, late } = fixture()
  deadlines.start(() => void start('second'))
  tick(TICKS)
  poll()
  tick(TICKS - 1)
  poll()
  expect(late).toEqual([])
  tick()
  poll()
  expect(late).toEqual(['second'])
})

test('the timer of deadlines runs while calls are outstanding, and one period longer', () => {
  const { start, deadlines, tick, running, armed } = fixture()
  expect(running()).toBe(0)
  const open = Array.from({ length: 1_000 }, (_, i) => start(`call ${i}`))
  expect([running(), armed()]).toEqual([1, 1])
  tick(2)
  for (const each of open) deadlines.end(each)
  expect(deadlines.outstanding).toBe(0)
  tick()
  expect(running()).toBe(0)
  start('again')
  expect([running(), armed()]).toEqual([1, 2])
})

test('in 2,000 random steps each call ends exactly once, and each late call has the same age', () => {
  const { deadlines, tick, poll } = fixture()
  let seed = 7
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return seed % below
  }
  let now = 0
  const open = new Map<number, { began: number; deadline: ReturnType<typeof deadlines.start> }>()
  const ages: number[] = []
  for (let call = 0; call < 2_000; call += 1) {
    const began = now
    const deadline = deadlines.start(() => {
      expect(open.delete(call)).toBe(true)
      ages.push(now - began)
    })
    open.set(call, { began, deadline })
    for (const [id, each] of open) {
      if (random(10) > 0) continue
      expect(deadlines.end(each.deadline)).toBe(true)
      expect(deadlines.end(each.deadline)).toBe(false)
      open.delete(id)
    }
    if (random(2) === 0) {
      now += 1
      tick()
      poll()
    }
    expect(deadlines.outstanding).toBe(open.size)
  }
  expect(ages.length).toBeGreaterThan(100)
  expect(new Set(ages)).toEqual(new Set([TICKS]))
})

test('work with a deadline settles with its outcome, or is late with a coded error or that of the caller', async () => {
  const { deadlines, tick, poll } = fixture()
  await expect(deadlines.run(Promise.resolve('answer'))).resolves.toBe('answer')
  await expect(deadlines.run(Promise.reject(new TypeError('a bug')))).rejects.toThrow('a bug')
  const never = Promise.withResolvers<never>()
  const calls = [
    deadlines.run(never.promise),
    deadlines.run(never.promise, () => new RangeError('mine')),
  ]
  tick(TICKS)
  poll()
  await expect(calls[0]).rejects.toMatchObject({ code: 'late', name: 'ConcurrencyError' })
  await expect(calls[1]).rejects.toThrow(RangeError)
  never.reject(new Error('later: no unhandled rejection'))
  expect(deadlines.outstanding).toBe(0)
})

test('a single awake timeout runs once after its time and a poll, and its timer stops', () => {
  const { source, tick, poll, running } = createManualTicks()
  const late: string[] = []
  setAwakeTimeout(() => void late.push('late'), MS, { ticks: source })
  tick(TICKS - 2)
  poll()
  expect(late).toEqual([])
  tick(5)
  expect([late, running()]).toEqual([[], 0])
  poll()
  expect(late).toEqual(['late'])
})

test('a single awake timeout that is cancelled before the poll does not run', () => {
  const { source, tick, poll, running } = createManualTicks()
  const late: string[] = []
  const cancel = setAwakeTimeout(() => void late.push('late'), MS, { ticks: source })
  tick(TICKS)
  cancel()
  poll()
  cancel()
  expect([late, running()]).toEqual([[], 0])
})

test.for([undefined, null, Number.NaN, Infinity, -Infinity, -1, 2 ** 31, '100', {}, 10n])(
  'a time of %s is a coded error that names the option',
  (hostile) => {
    const options = JSON.parse('{}')
    options.ms = hostile
    const error = { name: 'ConcurrencyError', code: 'bad-option' }
    for (const create of [
      () => createDeadlines(options),
      () => setAwakeTimeout(() => 1, options.ms),
    ]) {
      expect(create).toThrow(expect.objectContaining(error))
      expect(create).toThrow(/^ms must be a number of milliseconds/)
    }
  },
)
