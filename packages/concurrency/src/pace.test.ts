import { expect, test } from 'vitest'
import { createPace } from './pace.ts'

function createServer() {
  const answers: (() => void)[] = []
  const state = { inFlight: 0, most: 0 }
  const run = async () => {
    state.inFlight += 1
    state.most = Math.max(state.most, state.inFlight)
    await new Promise<void>((resolve) => answers.push(resolve))
    state.inFlight -= 1
  }
  return { state, answers, run }
}

test('work starts in the order of its calls, within the limit of work in flight, and all of it ends', async () => {
  const pace = createPace({ maxCalls: 3 })
  const { state, answers, run } = createServer()
  const started: number[] = []
  const all = Array.from({ length: 50 }, (_, i) =>
    pace({ bytes: 1, run: () => (started.push(i), run()) }),
  )
  expect(state.inFlight).toBe(3)
  for (let ended = 0; ended < 50;) {
    const answer = answers.shift()
    if (answer) ended += 1
    answer?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all(all)
  expect(state.most).toBe(3)
  expect(started).toEqual(Array.from({ length: 50 }, (_, i) => i))
})

test('large work runs alone, and counts as in flight until its hold is settled', async () => {
  const pace = createPace({ maxBytes: 10 })
  const held = Promise.withResolvers<void>()
  await pace({ bytes: 20, run: async () => 1, hold: () => held.promise })
  let isDone = false
  const next = pace({ bytes: 1, run: async () => (isDone = true) })
  await new Promise((resolve) => setImmediate(resolve))
  expect(isDone).toBe(false)
  held.resolve()
  await next
  expect(isDone).toBe(true)
})

test('the next work starts after work that fails', async () => {
  const pace = createPace({ maxCalls: 1 })
  const failing = pace({ bytes: 1, run: () => Promise.reject(new Error('no')) })
  const next = pace({ bytes: 1, run: async () => 'done' })
  await expect(failing).rejects.toThrow('no')
  expect(await next).toBe('done')
})
