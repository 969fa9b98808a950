import { setTimeout as wait } from 'node:timers/promises'
import type { InstanceServer } from '../http/server.ts'

const SWEEP_EVERY_MS = 100
/** After close() node enforces no header timeout any more: a half-sent head would hold the drain. */
const HEAD_GRACE_MS = 1_000

/**
 * Ends a server without losing a request: serves on for `drainMs` so that balancers notice, then
 * takes no new connections, closes idle ones and waits for the requests in flight.
 *
 * @returns whether all of them ended before `deadlineMs`; connections that remain are cut
 */
export async function drainServer(
  http: InstanceServer,
  { drainMs, deadlineMs }: { drainMs: number; deadlineMs: number },
): Promise<boolean> {
  await wait(drainMs)
  const closed = new Promise<true>((resolve) => {
    http.server.close(() => resolve(true))
  })
  // A connection that was busy at close() becomes idle later, and nobody else would close it.
  const sweep = setInterval(() => http.server.closeIdleConnections(), SWEEP_EVERY_MS)
  // To node, a connection that never said anything is not idle: browsers open such ones in advance.
  const silence = setInterval(() => http.closeSilent(), HEAD_GRACE_MS)
  const late = wait(deadlineMs, false, { ref: false })
  const inTime = await Promise.race([closed, late])
  clearInterval(sweep)
  clearInterval(silence)
  if (!inTime) http.server.closeAllConnections()
  return inTime
}
