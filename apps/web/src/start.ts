import { busFigures, checkBus, createBus } from '@repo/cache-broadcast'
import { traceAttempts } from '@repo/observability'
import type { Context, Started } from '@repo/service'
import { shareBus } from './server/bus.ts'
import { shareCallTraces } from './server/call-trace.ts'
import { createApp } from './server/server.ts'

interface WebEnv {
  PORT: number
  ORIGIN: string
  TRACE_SECRET?: string | undefined
}

/** Starts an instance: it joins the bus, then serves the build. */
export async function start(
  { PORT: port, ORIGIN: origin, TRACE_SECRET: traceKey }: WebEnv,
  { instance, log, redis, metrics }: Context,
): Promise<Started> {
  const app = await createApp({
    instanceId: instance,
    port,
    origin: new URL(origin).origin,
    traceKey,
  })
  // After Next has loaded: the bus would count half a second without a read as a lost log.
  const bus = createBus({ redis, name: 'platform', instance, log })
  shareBus(bus)
  metrics.observe(busFigures(bus))
  shareCallTraces({ current: traceAttempts('gateway'), key: traceKey })
  return {
    listener: (request, response) => app.listener(request, response),
    checks: { bus: () => checkBus(bus) },
    async close() {
      // Callbacks that run after a response may still invalidate a tag.
      await app.close()
      await bus.close()
    },
  }
}
