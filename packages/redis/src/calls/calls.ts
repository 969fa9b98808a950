import { createDeadlines } from '@repo/concurrency'
import type { Redis } from 'ioredis'
import { followRecovery } from '../connection/recovery.ts'
import { limitSilence } from '../connection/watch-connection.ts'
import { isAnswer, RedisError, toRedisError } from '../errors.ts'
import { requireCommand } from '../options.ts'
import { type ConnectionLog, createAnswerLog } from './answer-log.ts'
import { type Admission, type Breaker, createBreaker } from './breaker.ts'
import { type CallStats, createCallStats } from './call-stats.ts'
import { CallTimes } from './call-times.ts'
import { batchWrites } from './write-batch.ts'

type Command<T> = (client: Redis) => Promise<T>

export interface Calls {
  readonly breaker: Breaker
  readonly stats: CallStats
  readonly times: CallTimes
  /** Runs a command within the deadline, unless the breaker is open. */
  call: <T>(command: Command<T>) => Promise<T>
  /** As `call`, also while the breaker is open. */
  attempt: <T>(command: Command<T>) => Promise<T>
}

export interface CallsOptions {
  client: Redis
  deadlineMs: number
  log: ConnectionLog | undefined
}

/** Gives the commands of a client deadlines, a breaker, and coded errors. */
export function createCalls({ client, deadlineMs, log }: CallsOptions): Calls {
  const deadlines = createDeadlines({ ms: deadlineMs })
  const breaker = createBreaker({ roundMs: deadlines.tickMs })
  const recovery = followRecovery(client)
  const onWritten = limitSilence(client, Math.max(1_000, 2 * deadlineMs))
  const batch = batchWrites(client, { isRecovering: () => recovery.isRecovering(), onWritten })
  const sortError = createErrorSorter(client, log)
  const { stats, note } = createCallStats()
  const times = new CallTimes()

  // One promise for deadline, breaker and outcome: this runs for every command.
  function run<T>(command: Command<T>, admission: Admission): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const startedMs = times.begin()
      const observed = times.observe()
      let name = ''
      let isWaiting = false
      const deadline = deadlines.start(() => {
        const isUnsent = batch.withdraw(deadline) || isWaiting
        fail(createLateError(isUnsent))
      })

      function succeed(value: T): void {
        if (!deadlines.end(deadline)) return
        times.end(startedMs)
        observed?.(name)
        breaker.succeed(admission)
        resolve(value)
      }

      function fail(error: unknown): void {
        breaker.fail(admission, error)
        note(error)
        times.end(startedMs)
        observed?.(name, error)
        reject(error)
      }

      function failInTime(error: unknown): void {
        if (deadlines.end(deadline)) fail(sortError(error))
      }

      function send(): void {
        isWaiting = false
        if (!deadline.isOpen) return
        if (client.status === 'end') return failInTime(createClosedError())
        try {
          const answer = Promise.resolve(batch.attribute(deadline, () => command(client)))
          name = batch.lastName()
          answer.then(succeed, failInTime)
        } catch (error) {
          failInTime(error)
        }
      }

      if (client.status === 'ready' || !recovery.isRecovering()) return send()
      isWaiting = true
      recovery.afterAttempt(send)
    })
  }

  function createLateError(isUnsent: boolean): RedisError {
    if (!isUnsent) return new RedisError('timeout', `no answer within ${deadlineMs} ms`)
    return new RedisError('unavailable', `not connected to Redis within ${deadlineMs} ms`)
  }

  return {
    breaker,
    stats,
    times,
    async attempt(command) {
      return run(command, 'call')
    },
    call(command) {
      try {
        requireCommand(command)
      } catch (error) {
        return Promise.reject(error)
      }
      const admission = breaker.admit()
      if (admission !== 'refused') return run(command, admission)
      const refused = new RedisError('unavailable', 'Redis is not answering')
      note(refused)
      return Promise.reject(refused)
    },
  }
}

function createClosedError(): RedisError {
  return new RedisError('unavailable', 'the connection was closed')
}

/** Sorts errors of commands, logs answers of the server, and adds why it lets no connection in. */
function createErrorSorter(client: Redis, log: ConnectionLog | undefined) {
  const logAnswer = createAnswerLog(log)
  let notLetIn: Error | undefined
  client.on('error', (error) => {
    if (isAnswer(error)) notLetIn = error
  })
  client.on('ready', () => {
    notLetIn = undefined
  })
  return function sortError(error: unknown): unknown {
    if (isAnswer(error)) logAnswer(error)
    const sorted = toRedisError(error)
    if (!(sorted instanceof RedisError) || sorted.code !== 'unavailable' || !notLetIn) return sorted
    return new RedisError('unavailable', `not connected to Redis: ${notLetIn.message}`, {
      cause: notLetIn,
    })
  }
}
