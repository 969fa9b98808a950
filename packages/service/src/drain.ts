import type { Server } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'

const SWEEP_EVERY_MS = 100

/**
 * Ends a server without losing a request: serves on for `drainMs` so that balancers notice, then
 * takes no new connections, closes idle ones and waits for the requests in flight.
 *
 * @returns whether all of them ended before `deadlineMs`; connections that remain are cut
 */
export async function drainServer(
  server: Server,
  { drainMs, deadlineMs }: { drainMs: number; deadlineMs: number },
): Promise<boolean> {
  await wait(drainMs)
  const closed = new Promise<true>((resolve) => {
    server.close(() => resolve(true))
  })
  // A connection that was busy at close() becomes idle later, and nobody else would close it.
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_EVERY_MS)
  const late = wait(deadlineMs, false, { ref: false })
  const inTime = await Promise.race([closed, late])
  clearInterval(sweep)
  if (!inTime) server.closeAllConnections()
  return inTime
}
