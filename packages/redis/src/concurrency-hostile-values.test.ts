import {
  ConcurrencyError,
  createAwakeClock,
  createDeadlines,
  noteFailure,
  repeat,
  retryInBackground,
  runInBackground,
  setAwakeTimeout,
  withAwakeDeadline,
} from '@repo/concurrency'
import { expect, findRawErrors, findRawErrorsOfOptions, test } from '@repo/testing'

// `@repo/concurrency` depends on no package, not even for its tests: its property test is here.
const isCoded = (error: unknown) => error instanceof ConcurrencyError
const log = { info: () => undefined, warn: () => undefined }
const work = () => undefined

test('every function of concurrency takes each hostile option, or refuses it by its name', async () => {
  const all = {
    repeat: [
      { task: 'hostile', work, everyMs: 1_000, slowestMs: 2_000, log },
      (options: never) => repeat(options).close(),
    ],
    retryInBackground: [
      { task: 'hostile', work, firstMs: 1_000, lastMs: 2_000, log },
      (options: never) => retryInBackground(options)(),
    ],
    createDeadlines: [
      { ms: 1_000, onSweep: work },
      (options: never) => createDeadlines(options).start(work),
    ],
    createAwakeClock: [{ ms: 1_000, onTick: work }, (options: never) => createAwakeClock(options)],
  } as const
  for (const [name, [valid, call]] of Object.entries(all)) {
    const check = (options: object) => Reflect.apply(call, undefined, [options])
    expect(await findRawErrorsOfOptions(valid, check, { isCoded }), name).toEqual([])
    expect(await findRawErrors(call, { isCoded }), name).toEqual([])
  }
})

test('every function of concurrency ends with a result or a coded error for each hostile argument', async () => {
  const deadlines = createDeadlines({ ms: 50 })
  const functions = {
    task: (value: never) => runInBackground(value, work),
    work: (value: never) => runInBackground('hostile', value),
    log: (value: never) => runInBackground('hostile', work, value),
    noteFailure: (value: never) => noteFailure('hostile', value, log),
    noteFailureTask: (value: never) => noteFailure(value, new Error('failed')),
    onLate: (value: never) => setAwakeTimeout(value, 1_000)(),
    ms: (value: never) => setAwakeTimeout(work, value)(),
    timeoutOptions: (value: never) => setAwakeTimeout(work, 1_000, value)(),
    signalMs: (value: never) => withAwakeDeadline(value, work),
    signalWork: (value: never) => withAwakeDeadline(1_000, value),
    start: (value: never) => deadlines.end(deadlines.start(value)),
    end: (value: never) => deadlines.end(value),
    // Work whose `then` throws fails with that error.
    run: (value: never) => deadlines.run(value).catch(() => undefined),
    createError: (value: never) => deadlines.run(Promise.resolve(), value),
  }
  // Their errors are those of the caller's function.
  const except = ['a function that throws', 'a function that rejects']
  for (const [name, call] of Object.entries(functions)) {
    expect(await findRawErrors(call, { isCoded, except }), name).toEqual([])
  }
  expect(deadlines.outstanding).toBe(0)
})
