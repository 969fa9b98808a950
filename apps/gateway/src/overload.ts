import type { LoadShedder } from '@repo/proxy'
import { type ProblemOptions, sendProblem } from '@repo/service'
import type { Gateway } from './gateway.ts'

const overloaded: ProblemOptions = {
  status: 503,
  code: 'overloaded',
  detail: 'This instance has more requests than it can serve at the moment.',
  retryAfter: 1,
}

/**
 * Refuses requests with 503 while the event loop is late, before any other work. The
 * operational endpoints are served before this listener, so they are never refused.
 */
export function withLoadShedding(listener: Gateway, shedder: LoadShedder): Gateway {
  return (req, res, handshake) =>
    shedder.isOverloaded() ? sendProblem(res, overloaded) : listener(req, res, handshake)
}
