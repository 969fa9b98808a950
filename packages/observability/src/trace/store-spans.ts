import { newSpanId } from '../request/random-ids.ts'
import { currentRequest } from '../request/request-context.ts'
import { activeSpan } from './active-span.ts'
import type { Span } from './span.ts'

/** A call that ended before its command was sent, for example because the connection was lost. */
const UNSENT = 'UNSENT'
/** A shorter call of Redis has no span: a request has many, and their sum is an attribute. */
const SLOW_REDIS_MS = 5

/**
 * Observes one query of PostgreSQL, from the call to its end.
 *
 * @param readStatement returns the name of the statement, or its command and table; never a parameter.
 * It is called only for a recorded trace
 * @returns a function that receives the error of the query, if it failed; undefined if the trace is not
 * recorded
 */
export function traceQuery(readStatement: () => string): ((error?: unknown) => void) | undefined {
  const parent = activeSpan()
  if (!parent) return undefined
  const statement = readStatement()
  const span = parent.child(`postgres ${statement}`, 'client', newSpanId())
  span.set('db.system.name', 'postgresql').set('db.query.summary', statement)
  return (error) => endWith(span, error)
}

/**
 * Observes one call of Redis. Its time is added to the span of the request. A call of more than 5 ms
 * gets a span.
 *
 * @returns a function that receives the name of the command, or '' if none was sent, and the error if it failed; undefined if
 * the trace is not recorded
 */
export function traceRedisCall(): ((command: string, error?: unknown) => void) | undefined {
  const parent = activeSpan()
  if (!parent) return undefined
  const server = currentRequest()?.span ?? parent
  const startedAtMs = performance.now()
  return (command, error) => {
    const ms = performance.now() - startedAtMs
    const name = command === '' ? UNSENT : command.toUpperCase()
    server.add('redis.calls', 1).add('redis.ms', ms)
    if (ms <= SLOW_REDIS_MS) return
    const span = parent.child(`redis ${name}`, 'client', newSpanId(), startedAtMs)
    span.set('db.system.name', 'redis').set('db.operation.name', name)
    endWith(span, error)
  }
}

/**
 * Ends a span, with the error if its work failed. The message of an error can contain values, so that
 * only its code or its type is recorded.
 */
export function endWith(span: Span, error?: unknown): void {
  if (error !== undefined) {
    span.isError = true
    span.set('error.type', typeOf(error))
  }
  span.end()
}

function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
