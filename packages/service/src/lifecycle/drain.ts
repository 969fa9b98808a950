import { setTimeout as wait } from 'node:timers/promises'
import type { Log } from '@repo/observability'
import type { InstanceServer } from '../http/server.ts'
import type { Registry } from '../registry/registry.ts'

/** How long a drain waits for requests in flight. With the next deadline it is below 30 s. */
const DRAIN_DEADLINE_MS = 25_000
/** How long pools may take to close: the server of a pool can hang. */
const CLOSE_DEADLINE_MS = 3_000
const SWEEP_EVERY_MS = 100
/** After close(), Node enforces no header timeout: half of a request head would delay the drain. */
const HEAD_GRACE_MS = 1_000

/** `cut off`: requests were cut off. `not closed`: a pool or a worker did not close. */
export type DrainOutcome = 'drained' | 'cut off' | 'not closed'

/** Removes the instance from the list, drains its server, and then closes pools and workers. */
export async function drain({
  http,
  registry,
  log,
  drainMs,
  idle,
  close,
}: {
  http: InstanceServer
  registry: Registry
  log: Log
  drainMs: number
  idle: () => Promise<void>
  close: () => Promise<void>
}): Promise<DrainOutcome> {
  http.leave()
  await registry.close()
  const deadlineMs = DRAIN_DEADLINE_MS - drainMs
  const inTime = await drainServer(http, { drainMs, deadlineMs, idle })
  const late = wait(CLOSE_DEADLINE_MS, 'not closed' as const, { ref: false })
  async function closeAll() {
    try {
      await close()
      return inTime ? ('drained' as const) : ('cut off' as const)
    } catch (error) {
      log.warn({ event: 'close.failed', err: error }, 'a pool or a worker was not closed')
      return 'not closed' as const
    }
  }

  return Promise.race([closeAll(), late])
}

/**
 * Ends a server without losing a request. It serves for `drainMs`, so that balancers detect the
 * drain. Then it accepts no new connections, ends upgraded and idle ones, and waits for the requests in
 * flight.
 *
 * @param options.idle resolves when the work of clients that have left has ended
 * @returns whether all requests ended within `deadlineMs`; remaining connections are cut
 */
async function drainServer(
  http: InstanceServer,
  { drainMs, deadlineMs, idle }: { drainMs: number; deadlineMs: number; idle: () => Promise<void> },
): Promise<boolean> {
  await wait(drainMs)
  const closed = new Promise<void>((resolve) => {
    http.server.close(() => resolve())
  })
  http.endUpgrades()
  // A connection that was busy at close() becomes idle later and must be closed then.
  const sweep = setInterval(() => http.server.closeIdleConnections(), SWEEP_EVERY_MS)
  // For Node, a connection without any bytes is not idle. Browsers open such connections in advance.
  const silence = setInterval(() => http.closeSilent(), HEAD_GRACE_MS)
  const late = wait(deadlineMs, false, { ref: false })
  const inTime = await Promise.race([closed.then(idle).then(() => true), late])
  clearInterval(sweep)
  clearInterval(silence)
  if (!inTime) http.server.closeAllConnections()
  return inTime
}
