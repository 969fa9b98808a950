import { expect, test } from 'vitest'
import { createBatch, createBatchQueue } from './index.ts'

test('64 calls of one tick are one batch, and each receives the result of its item', async () => {
  const batches: number[][] = []
  const double = createBatch<number, number>(64, async (items) => {
    batches.push(items)
    return items.map((item) => item * 2)
  })
  const items = Array.from({ length: 64 }, (_, i) => i)
  expect(await Promise.all(items.map(double))).toEqual(items.map((item) => item * 2))
  expect(batches).toEqual([items])
})

test('a batch that is full is handled at once, and the rest at the end of the tick', async () => {
  const batches: number[][] = []
  const queue = createBatchQueue<number>({ maxItems: 2, handle: (items) => batches.push(items) })
  for (const item of [1, 2, 3]) queue.add(item)
  expect(batches).toEqual([[1, 2]])
  await Promise.resolve().then(() => undefined)
  await new Promise((resolve) => process.nextTick(resolve))
  expect(batches).toEqual([[1, 2], [3]])
})

test('a flush separates the items before it from the items after it', () => {
  const batches: string[][] = []
  const queue = createBatchQueue<string>({ handle: (items) => batches.push(items) })
  queue.add('before')
  queue.flush()
  queue.add('after')
  queue.flush()
  queue.flush()
  expect(batches).toEqual([['before'], ['after']])
})

test('the items wait until the given schedule runs the flush', () => {
  const batches: string[][] = []
  const scheduled: (() => void)[] = []
  const queue = createBatchQueue<string>({
    handle: (items) => batches.push(items),
    schedule: (flush) => scheduled.push(flush),
  })
  queue.add('a')
  queue.add('b')
  expect([scheduled.length, batches.length]).toEqual([1, 0])
  scheduled[0]?.()
  expect(batches).toEqual([['a', 'b']])
})

test('an error of a batch rejects its calls only', async () => {
  const run = createBatch<number, number>(2, async (items) => {
    if (items.includes(1)) throw new Error('failed')
    return items
  })
  const results = await Promise.allSettled([1, 2, 3, 4].map(run))
  expect(results.map(({ status }) => status)).toEqual([
    'rejected',
    'rejected',
    'fulfilled',
    'fulfilled',
  ])
})

test('a call whose result is missing is rejected', async () => {
  const run = createBatch<number, number>(2, async ([first = 0]) => [first])
  const [first, second] = await Promise.allSettled([run(1), run(2)])
  expect(first).toEqual({ status: 'fulfilled', value: 1 })
  expect(second).toMatchObject({
    status: 'rejected',
    reason: { message: 'a batch of 2 calls returned 1 results' },
  })
})
