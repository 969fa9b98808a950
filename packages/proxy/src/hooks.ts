import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerProblem, problem, type ProxyProblem } from './problem.ts'

export type OnProblem = (
  req: IncomingMessage,
  res: ServerResponse,
  problem: ProxyProblem,
) => unknown

/**
 * Responds with a problem in any state of the response. It tries `onProblem`, then the default, and
 * then closes the connection. It never throws.
 */
export function answerWith(
  onProblem: OnProblem,
  req: IncomingMessage,
  res: ServerResponse,
  found: ProxyProblem,
): void {
  // The client must detect an incomplete response.
  if (res.headersSent) return void res.destroy()
  const attempts: OnProblem[] = [onProblem, answerProblem]
  for (const attempt of attempts) {
    try {
      // A failed `writeHead` leaves its reason phrase, which the next one would use.
      res.statusMessage = ''
      catchRejection(attempt(req, res, found), () => res.destroy())
      return
    } catch (error) {
      warn(error)
      if (res.headersSent) break
      // A header that the hook has set may be invalid.
      for (const name of res.getHeaderNames()) res.removeHeader(name)
      found = problem('internal')
    }
  }
  res.destroy()
}

/** Runs a hook for events. An error of the hook is a warning, and its result is undefined. */
export function notify<T>(hook: () => T): T | undefined {
  try {
    const result = hook()
    catchRejection(result, () => undefined)
    return result
  } catch (error) {
    warn(error)
    return undefined
  }
}

/** Runs a hook. An error of the hook is a warning, and its result is undefined. It never rejects. */
export async function notifyAsync<T>(hook: () => Promise<T>): Promise<T | undefined> {
  try {
    return await hook()
  } catch (error) {
    warn(error)
    return undefined
  }
}

/** Handles the rejection of a hook that is an async function: it would end the process. */
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
