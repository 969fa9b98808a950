import { setTimeout as wait } from 'node:timers/promises'
import type { Log } from '@repo/observability'
import type { InstanceServer } from '../http/server.ts'
import type { Registry } from '../registry/registry.ts'
import { drainServer } from './drain.ts'

/** How long a drain waits for requests in flight. With the next deadline it is below 30 s. */
const DRAIN_DEADLINE_MS = 25_000
/** How long pools may take to close: the server of a pool can hang. */
const CLOSE_DEADLINE_MS = 3_000

/** `cut off`: requests were cut off. `not closed`: a pool or a worker did not close. */
export type ShutDown = 'drained' | 'cut off' | 'not closed'

/** Removes the instance from the list, drains its server, and then closes pools and workers. */
export async function shutDown({
  http,
  registry,
  log,
  drainMs,
  close,
}: {
  http: InstanceServer
  registry: Registry
  log: Log
  drainMs: number
  close: () => Promise<void>
}): Promise<ShutDown> {
  http.leave()
  await registry.close()
  const deadlineMs = DRAIN_DEADLINE_MS - drainMs
  const inTime = await drainServer(http, { drainMs, deadlineMs })
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
