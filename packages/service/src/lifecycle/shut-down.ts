import { setTimeout as wait } from 'node:timers/promises'
import type { Log } from '@repo/observability'
import type { InstanceServer } from '../http/server.ts'
import type { Registry } from '../registry/registry.ts'
import { drainServer } from './drain.ts'

/** After this long a drain gives up on requests in flight; with the next one below 30 s together. */
const DRAIN_DEADLINE_MS = 25_000
/** A pool whose server hangs may not close. */
const CLOSE_DEADLINE_MS = 3_000

/** The last two did not end in good order: requests were cut off, or a pool did not close. */
export type ShutDown = 'drained' | 'cut off' | 'not closed'

/** Takes the instance off the list, drains its server, and then closes what the requests used. */
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
