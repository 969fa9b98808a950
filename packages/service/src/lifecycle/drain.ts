import { setTimeout as wait } from 'node:timers/promises'
import type { InstanceServer } from '../http/server.ts'

const SWEEP_EVERY_MS = 100
/** After close(), Node enforces no header timeout: half of a request head would delay the drain. */
const HEAD_GRACE_MS = 1_000

/**
 * Ends a server without losing a request. It serves for `drainMs`, so that balancers detect the
 * drain. Then it accepts no new connections, closes idle ones and waits for the requests in flight.
 *
 * @returns whether all requests ended within `deadlineMs`; remaining connections are cut
 */
export async function drainServer(
  http: InstanceServer,
  { drainMs, deadlineMs }: { drainMs: number; deadlineMs: number },
): Promise<boolean> {
  await wait(drainMs)
  const closed = new Promise<true>((resolve) => {
    http.server.close(() => resolve(true))
  })
  // A connection that was busy at close() becomes idle later and must be closed then.
  const sweep = setInterval(() => http.server.closeIdleConnections(), SWEEP_EVERY_MS)
  // For Node, a connection without any bytes is not idle. Browsers open such connections in advance.
  const silence = setInterval(() => http.closeSilent(), HEAD_GRACE_MS)
  const late = wait(deadlineMs, false, { ref: false })
  const inTime = await Promise.race([closed, late])
  clearInterval(sweep)
  clearInterval(silence)
  if (!inTime) http.server.closeAllConnections()
  return inTime
}
