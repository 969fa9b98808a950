import { currentRequest, type Log, type Metrics, type RequestContext } from '@repo/observability'

const DEPENDENCY = /[/\\]node_modules[/\\]|\(?node:/

/**
 * Handles errors that no code caught. A rejected promise, an error of a store, a socket or a file,
 * and an error of one request are logged and counted, and the instance continues to serve. Any other
 * exception is a defect in synchronous code. It leaves the process in an unknown state, so `onDefect`
 * ends the process.
 */
export function handleUnhandled({
  log,
  metrics,
  failRequest,
  onDefect,
}: {
  log: Log
  metrics: Pick<Metrics, 'unhandled'>
  /** Ends the response of a request whose code threw an error. */
  failRequest: (context: RequestContext) => void
  onDefect: (error: unknown) => void
}): void {
  process.on('unhandledRejection', (reason) => {
    metrics.unhandled.inc({ kind: 'rejection' })
    log.error({ event: 'unhandled.rejection', err: reason }, 'a rejected promise was not handled')
  })
  process.on('uncaughtException', (error) => {
    metrics.unhandled.inc({ kind: 'exception' })
    const request = currentRequest()
    if (!request && !isEnvironmental(error)) return onDefect(error)
    log.error({ event: 'unhandled.exception', err: error }, 'an exception was not handled')
    if (request) failRequest(request)
  })
}

/**
 * Whether an error comes from outside the program: it has the code of a system error, of a store or
 * of Node.js, it is about malformed data (JSON, percent-encoding), or a dependency created it. Causes
 * are checked too.
 */
export function isEnvironmental(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if ('code' in error && error.code !== undefined && error.code !== 'ERR_ASSERTION') return true
  if (error instanceof SyntaxError || error instanceof URIError) return true
  if (error instanceof AggregateError && error.errors.some(isEnvironmental)) return true
  const frame = error.stack?.split('\n').find((line) => /^\s+at /.test(line))
  return (frame !== undefined && DEPENDENCY.test(frame)) || isEnvironmental(error.cause)
}
