import { contend, expect, test } from './index.ts'

test('all contenders start before the first one ends, and each outcome is returned', async () => {
  const started: number[] = []
  const outcomes = await contend(3, async (index) => {
    started.push(index)
    await Promise.resolve()
    expect(started).toEqual([0, 1, 2])
    if (index === 1) throw new Error('lost')
    return index
  })
  expect(outcomes).toEqual([
    { status: 'fulfilled', value: 0 },
    { status: 'rejected', reason: new Error('lost') },
    { status: 'fulfilled', value: 2 },
  ])
})
