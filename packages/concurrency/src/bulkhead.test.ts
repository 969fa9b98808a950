import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createBulkhead } from './index.ts'

test('at most the width runs at a time, and the calls run in the order of their arrival', async () => {
  const run = createBulkhead({ width: 3, maxWaitMs: 5_000 })
  const started: number[] = []
  let running = 0
  let highest = 0
  await Promise.all(
    Array.from({ length: 30 }, (_, i) =>
      run(async () => {
        started.push(i)
        running += 1
        highest = Math.max(highest, running)
        await pause(1)
        running -= 1
      }),
    ),
  )
  expect(highest).toBe(3)
  expect(started).toEqual(Array.from({ length: 30 }, (_, i) => i))
})

test('a call that waits too long fails, does not run later, and takes no turn', async () => {
  const run = createBulkhead({ width: 1, maxWaitMs: 20 })
  const gate = Promise.withResolvers<string>()
  const first = run(() => gate.promise)
  let hasRun = false
  const second = run(async () => {
    hasRun = true
  })
  await expect(second).rejects.toMatchObject({ code: 'overloaded', message: /within 20 ms/u })
  gate.resolve('first')
  expect(await first).toBe('first')
  expect(await run(async () => 'third')).toBe('third')
  expect(hasRun).toBe(false)
})

test('the error of a call that waits too long can be that of the caller', async () => {
  const run = createBulkhead({
    width: 1,
    maxWaitMs: 20,
    createError: () => new RangeError('busy'),
  })
  void run(() => new Promise(() => undefined))
  await expect(run(async () => undefined)).rejects.toThrow(RangeError)
})

test('a call that throws gives its turn back', async () => {
  const run = createBulkhead({ width: 1, maxWaitMs: 5_000 })
  const failing = run(async () => {
    throw new Error('failed')
  })
  const next = run(async () => 'next')
  await expect(failing).rejects.toThrow('failed')
  expect(await next).toBe('next')
})

test.for([
  { width: 0, maxWaitMs: 200 },
  { width: 1.5, maxWaitMs: 200 },
  { width: 1, maxWaitMs: 0 },
  { width: 1, maxWaitMs: Number.NaN },
])('a bulkhead with the options %o is refused', (options) => {
  expect(() => createBulkhead(options)).toThrow(expect.objectContaining({ code: 'bad-option' }))
})
