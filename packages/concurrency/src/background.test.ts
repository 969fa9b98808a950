import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { failuresByTask, repeat, retryInBackground, runInBackground } from './index.ts'

const unhandled: unknown[] = []
const note = (error: unknown) => void unhandled.push(error)

function captureLog() {
  const lines: string[] = []
  return {
    lines,
    info: (_fields: object, message: string) => void lines.push(message),
    warn: (_fields: object, message: string) => void lines.push(message),
  }
}

beforeEach(() => {
  vi.useFakeTimers()
  process.on('unhandledRejection', note)
})

afterEach(() => {
  vi.useRealTimers()
  process.off('unhandledRejection', note)
})

function broken() {
  throw new Error('no space left on device')
}

const failures = {
  'an error that is thrown at once': () => {
    throw new TypeError('at once')
  },
  'a rejection': async () => {
    throw Object.assign(new Error('cannot execute UPDATE'), { code: '25006' })
  },
  'a rejection with no error': () => Promise.reject(),
}

test.for(Object.entries(failures))(
  'background work survives %s, which is counted under its task',
  async ([name, work]) => {
    const log = captureLog()
    runInBackground(name, work, log)
    await vi.advanceTimersByTimeAsync(10)
    expect(failuresByTask().get(name)).toBe(1)
    expect(log.lines).toHaveLength(1)
    expect(unhandled).toEqual([])
  },
)

test('background work survives a log that throws', async () => {
  runInBackground('broken log', failures['a rejection'], { info: broken, warn: broken })
  await vi.advanceTimersByTimeAsync(10)
  expect(failuresByTask().get('broken log')).toBe(1)
  expect(unhandled).toEqual([])
})

test('repeated work continues after every kind of error, and logs one failure and the recovery', async () => {
  const log = captureLog()
  const kinds = Object.values(failures)
  let turns = 0
  const work = () => {
    turns += 1
    return kinds[turns - 1]?.()
  }
  await using stop = new AsyncDisposableStack()
  const repeated = repeat({ task: 'all kinds', work, everyMs: 100, log })
  stop.defer(() => repeated.close())
  await vi.advanceTimersByTimeAsync(550)
  expect(turns).toBe(5)
  expect(failuresByTask().get('all kinds')).toBe(3)
  expect(log.lines).toEqual([
    'all kinds failed and is repeated or dropped',
    'all kinds works again',
  ])
  expect(unhandled).toEqual([])
})

test('repeated work starts its turns at an even pace, also when a turn is slow', async () => {
  const atMs: number[] = []
  const startMs = Date.now()
  const work = () => {
    atMs.push(Date.now() - startMs)
    return new Promise((resolve) => setTimeout(resolve, 60))
  }
  const repeated = repeat({ task: 'even', work, everyMs: 100 })
  await vi.advanceTimersByTimeAsync(390)
  expect(atMs).toEqual([100, 200, 300])
  await repeated.close()
})

test('turns of repeated work never overlap, and a close waits for the turn in progress', async () => {
  const gate = Promise.withResolvers<void>()
  let turns = 0
  const work = () => {
    turns += 1
    return gate.promise
  }
  const repeated = repeat({ task: 'slow', work, everyMs: 10 })
  await vi.advanceTimersByTimeAsync(1_000)
  expect(turns).toBe(1)
  let isClosed = false
  const closed = repeated.close().then(() => (isClosed = true))
  await vi.advanceTimersByTimeAsync(1_000)
  expect(isClosed).toBe(false)
  gate.resolve()
  await closed
  await vi.advanceTimersByTimeAsync(1_000)
  expect(turns).toBe(1)
})

test('repeated work backs off up to the slowest pause, and returns to its pace when it succeeds', async () => {
  const atMs: number[] = []
  const startMs = Date.now()
  const work = () => {
    atMs.push(Date.now() - startMs)
    if (atMs.length < 5) throw new Error('away')
  }
  const repeated = repeat({ task: 'backs off', work, everyMs: 100, slowestMs: 400 })
  await vi.advanceTimersByTimeAsync(1_650)
  expect(atMs).toEqual([100, 300, 700, 1_100, 1_500, 1_600])
  await repeated.close()
})

test('retried work runs again until it succeeds once', async () => {
  let attempts = 0
  retryInBackground({
    task: 'third time',
    work: async () => {
      attempts += 1
      if (attempts < 3) throw new Error('read-only')
    },
  })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(attempts).toBe(3)
  expect(failuresByTask().get('third time')).toBe(2)
})

test('retried work ends when it is stopped', async () => {
  let attempts = 0
  const stop = retryInBackground({
    task: 'stopped',
    work: () => {
      attempts += 1
      throw new Error('away')
    },
  })
  await vi.advanceTimersByTimeAsync(1)
  stop()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(attempts).toBe(1)
})
