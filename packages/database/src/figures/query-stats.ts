import type { PoolClient } from 'pg'
import { breaksConnection, isDatabaseUnavailable } from '../availability.ts'
import { type ErrorKind, errorKindOf } from './error-kind.ts'

/** The errors of a pool by kind, and the times of its queries. */
export interface QueryStats {
  /** Calls that failed since the pool was created. */
  readonly errors: Readonly<Record<ErrorKind, number>>
  /** Calls `record` with the time of each later query, in seconds, until the end of the process. */
  recordTimes(record: (seconds: number) => void): void
}

type Query = (...args: unknown[]) => unknown
interface Connection {
  /** Whether a statement failed because the connection cannot be used any longer. */
  isBroken: boolean
}
type Callback = (error: unknown, ...rest: unknown[]) => unknown

/** Messages of pg 8, in errors without a code. */
const UNSENT =
  /^Client (?:has encountered a connection error and is|was closed and is) not queryable/

/** Creates the statistics of a pool. Every statement passes `watch`, also those of transactions. */
export function createQueryStats() {
  const errors: Record<ErrorKind, number> = {
    no_connection: 0,
    no_answer: 0,
    connection: 0,
    server: 0,
    conflict: 0,
    constraint: 0,
    statement: 0,
  }
  let record: ((seconds: number) => void) | undefined

  function noteError(error: unknown): void {
    errors[errorKindOf(error)] += 1
  }

  function noteEnd(startedMs: number): void {
    record?.((performance.now() - startedMs) / 1_000)
  }

  /** A ROLLBACK that follows the end of its connection is no second failure, and has no time. */
  function noteFailure(error: unknown, startedMs: number, connection: Connection): void {
    if (connection.isBroken && isDatabaseUnavailable(error)) return
    noteError(error)
    if (!isUnsent(error)) noteEnd(startedMs)
    if (error instanceof Error && breaksConnection(error)) connection.isBroken = true
  }

  function watchQuery(query: Query, args: unknown[], connection: Connection): unknown {
    const startedMs = performance.now()
    const last = args.length - 1
    const callback = args[last]
    if (isCallback(callback)) {
      args[last] = (error: unknown, ...rest: unknown[]) => {
        if (error) noteFailure(error, startedMs, connection)
        else noteEnd(startedMs)
        return callback(error, ...rest)
      }
      return query(...args)
    }
    const result = query(...args)
    if (!(result instanceof Promise)) return result
    // The caller gets this promise: with another one, its unhandled rejections would be hidden.
    return result.then(
      (value: unknown) => {
        noteEnd(startedMs)
        return value
      },
      (error: unknown) => {
        noteFailure(error, startedMs, connection)
        throw error
      },
    )
  }

  return {
    errors,
    recordTimes(to: (seconds: number) => void): void {
      record = to
    },
    /** Counts a call that got no connection. */
    noteError,
    /** Counts the statements of a connection from now on. */
    watch(client: PoolClient): void {
      const query: Query = client.query.bind(client)
      const connection = { isBroken: false }
      Object.assign(client, { query: (...args: unknown[]) => watchQuery(query, args, connection) })
    },
  }
}

/** Whether pg refused a statement without sending it, because the connection had ended. */
function isUnsent(error: unknown): boolean {
  return error instanceof Error && UNSENT.test(error.message)
}

function isCallback(value: unknown): value is Callback {
  return typeof value === 'function'
}
