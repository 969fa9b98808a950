import { expect, test } from 'vitest'
import { createFlight, createSingleFlight, type Flight } from './index.ts'

const CALLERS = 1_000

/** A single flight whose runs end when the test ends them. */
function openFlights(isErrorShared?: (error: unknown) => boolean) {
  const runs: (Flight<number> & { argument: string })[] = []
  const flights = createSingleFlight<number, string, Flight<number> & { argument: string }>({
    create: (key, argument) => ({ ...createFlight<number>(key), argument }),
    start(flight) {
      runs.push(flight)
      return undefined
    },
    ...(isErrorShared && { isErrorShared }),
  })
  return { flights, runs }
}

test(`${CALLERS} concurrent callers of join start the work once, and all receive its value`, async () => {
  const { flights, runs } = openFlights()
  const calls = Array.from({ length: CALLERS }, (_, i) => flights.join('key', `${i}`))
  expect(runs.map(({ argument }) => argument)).toEqual(['0'])
  for (const flight of runs) flights.complete(flight, 7)
  expect(new Set(await Promise.all(calls))).toEqual(new Set([7]))
})

test(`${CALLERS} concurrent callers of joinLater start the work twice, and all but the first share the second run`, async () => {
  const { flights, runs } = openFlights()
  const calls = Array.from({ length: CALLERS }, (_, i) => flights.joinLater('key', `${i}`))
  for (let ended = 0; ended < 2; ended += 1) {
    await expect.poll(() => runs.length).toBe(ended + 1)
    const flight = runs.at(-1)
    if (flight) flights.complete(flight, ended)
  }
  const values = await Promise.all(calls)
  expect(values).toEqual([0, ...Array.from({ length: CALLERS - 1 }, () => 1)])
  expect(runs).toHaveLength(2)
})

test('the flights of different keys run side by side', () => {
  const { flights, runs } = openFlights()
  void flights.join('a', '')
  void flights.join('b', '')
  expect(runs.map(({ key }) => key)).toEqual(['a', 'b'])
})

test('after a detach a caller starts another flight, and the earlier callers receive the first outcome', async () => {
  const { flights, runs } = openFlights()
  const earlier = flights.join('key', 'earlier')
  flights.detach('key')
  const later = flights.join('key', 'later')
  const [first, second] = runs
  if (!first || !second) throw new Error('Two flights must have started')
  flights.complete(first, 1)
  // The end of a detached flight does not remove the flight that replaced it.
  expect(flights.join('key', '')).toBe(later)
  flights.complete(second, 2)
  expect([await earlier, await later]).toEqual([1, 2])
})

test('after an error the waiting callers start the next flight', async () => {
  const { flights, runs } = openFlights()
  const first = flights.joinLater('key', '')
  const second = flights.joinLater('key', '')
  if (runs[0]) flights.fail(runs[0], new Error('failed'))
  await expect(first).rejects.toThrow('failed')
  await expect.poll(() => runs.length).toBe(2)
  if (runs[1]) flights.complete(runs[1], 2)
  expect(await second).toBe(2)
})

test('waiting callers share an error that is declared as shared, and no flight starts', async () => {
  const { flights, runs } = openFlights((error) => error instanceof RangeError)
  const calls = Array.from({ length: 3 }, () => flights.joinLater('key', ''))
  if (runs[0]) flights.fail(runs[0], new RangeError('unavailable'))
  for (const call of calls) await expect(call).rejects.toThrow('unavailable')
  expect(runs).toHaveLength(1)
})

test('the outcome of a flight can be the promise that its start returns', async () => {
  const ended: string[] = []
  const flights = createSingleFlight<string>({
    create: (key) => createFlight(key),
    start: async ({ key }) => {
      if (key === 'bad') throw new Error('failed')
      return key
    },
    onEnd: ({ key }) => void ended.push(key),
  })
  expect(await flights.join('good')).toBe('good')
  await expect(flights.join('bad')).rejects.toThrow('failed')
  expect(ended).toEqual(['good', 'bad'])
})
