import { expect, test } from 'vitest'
import { findRawErrors, findRawErrorsOfOptions, hostileValues } from './hostile-values.ts'

const isCoded = (error: unknown) => error instanceof RangeError

function requireText(value: unknown) {
  if (typeof value !== 'string') throw new RangeError('must be a string')
  return value
}

function hangAtZero(value: unknown) {
  return value === 0 ? new Promise(() => undefined) : 'a result'
}

function create({ ttlMs, name }: { ttlMs: number; name: string }) {
  if (typeof name !== 'string') throw new RangeError('name must be a string')
  if (!Number.isFinite(ttlMs)) throw new RangeError('a number is wrong')
}

test('a function that throws a raw error for one hostile value is found, with the value', async () => {
  const faults = await findRawErrors((value) => ''.concat(value), { isCoded })
  expect(faults).toContainEqual(expect.stringMatching(/^a symbol: raw error: TypeError/))
  expect(faults).toContainEqual(expect.stringContaining('an object without a prototype'))
  expect(faults.length).toBeLessThan(hostileValues().length / 3)
})

test('a function that settles with a result or a coded error for every value has no fault', async () => {
  expect(await findRawErrors(requireText, { isCoded })).toEqual([])
  const rejects = (value: unknown) => Promise.try(requireText, value)
  expect(await findRawErrors(rejects, { isCoded })).toEqual([])
})

test('a call that does not settle is found', async () => {
  expect(await findRawErrors(hangAtZero, { isCoded, withinMs: 20 })).toEqual([
    '0: does not settle within 20 ms',
    '-0: does not settle within 20 ms',
  ])
})

test('a coded error that does not name the option is a fault', async () => {
  const faults = await findRawErrorsOfOptions({ ttlMs: 1, name: 'a' }, create, { isCoded })
  expect(faults).toContainEqual('ttlMs = NaN: raw error: RangeError: a number is wrong')
  expect(faults.filter((fault) => fault.startsWith('name'))).toEqual([])
})
