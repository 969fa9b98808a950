import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerProblem, problem, type ProxyProblem } from './problem.ts'

export type OnProblem = (
  req: IncomingMessage,
  res: ServerResponse,
  problem: ProxyProblem,
) => unknown

/**
 * Answers with a problem, whatever state the response is in: `onProblem` first, then the default,
 * then a closed connection. It never throws.
 */
export function answerWith(
  onProblem: OnProblem,
  req: IncomingMessage,
  res: ServerResponse,
  found: ProxyProblem,
): void {
  // The client must see a broken answer, never a short one.
  if (res.headersSent) return void res.destroy()
  const attempts: OnProblem[] = [onProblem, answerProblem]
  for (const attempt of attempts) {
    try {
      // A failed `writeHead` leaves its reason phrase behind, and the next one would use it.
      res.statusMessage = ''
      catchRejection(attempt(req, res, found), () => res.destroy())
      return
    } catch (error) {
      warn(error)
      if (res.headersSent) break
      // A header that the hook has set may be the fault.
      for (const name of res.getHeaderNames()) res.removeHeader(name)
      found = problem('internal')
    }
  }
  res.destroy()
}

/** Runs a hook for events; what it throws is reported, and changes nothing else. */
export function notify(hook: () => unknown): void {
  try {
    catchRejection(hook(), () => undefined)
  } catch (error) {
    warn(error)
  }
}

/** A hook may be an async function: its rejection would end the process. */
export function catchRejection(result: unknown, onRejection: (error: unknown) => void): void {
  if (!(result instanceof Promise)) return
  result.catch((error: unknown) => {
    warn(error)
    onRejection(error)
  })
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)))
}
