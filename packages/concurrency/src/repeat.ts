import { type BackgroundLog, noteFailure, noteSuccess } from './background.ts'
import { readOptions, requireFunction, requireLog, requireMs, requireTask } from './errors.ts'

export interface RepeatOptions {
  /** The name in the log and in the metric, such as `session.touch`. */
  task: string
  work: () => unknown
  everyMs: number
  /** The longest pause. The pause doubles with each failure in a row; by default it is constant. */
  slowestMs?: number
  log?: BackgroundLog | undefined
}

export interface Repeated {
  /** Runs the work now, after a turn in progress. Never rejects. */
  run(): Promise<void>
  /** Stops the turns, and waits for the turn in progress. */
  close(): Promise<void>
}

/**
 * Repeats work until it is closed, after any error. A failure is counted and logged, and the next turn
 * follows. Turns start `everyMs` apart and never overlap. The timer does not keep the
 * process alive.
 *
 * @throws ConcurrencyError `bad-option`
 */
export function repeat(options: RepeatOptions): Repeated {
  const { task, work, everyMs, slowestMs = everyMs, log } = readOptions(options)
  requireTask(task)
  requireFunction('work', work)
  requireMs('everyMs', everyMs)
  requireMs('slowestMs', slowestMs)
  requireLog(log)
  let timer: NodeJS.Timeout | undefined
  let turn: Promise<void> = Promise.resolve()
  let pauseMs = everyMs
  let isFailing = false
  let isClosed = false

  async function takeTurn(): Promise<void> {
    try {
      await work()
      pauseMs = everyMs
      if (isFailing) noteSuccess(task, log)
      isFailing = false
    } catch (error) {
      pauseMs = Math.min(pauseMs * 2, slowestMs)
      isFailing = true
      noteFailure(task, error, log)
    }
  }

  function run(): Promise<void> {
    turn = turn.then(takeTurn)
    return turn
  }

  async function beat(): Promise<void> {
    const startedAtMs = performance.now()
    await run()
    schedule(startedAtMs)
  }

  function schedule(startedAtMs: number) {
    if (isClosed) return
    // From start to start, so that the duration of a turn does not change the pace.
    const leftMs = Math.max(0, startedAtMs + pauseMs - performance.now())
    timer = setTimeout(() => void beat(), leftMs).unref()
  }

  schedule(performance.now())
  return {
    run,
    async close() {
      isClosed = true
      clearTimeout(timer)
      await turn
    },
  }
}
