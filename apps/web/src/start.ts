import { checkBus, createBus } from '@repo/cache-broadcast'
import type { Context, Started } from '@repo/service'
import { shareBus } from './server/bus.ts'
import { createApp } from './server/server.ts'

/** One instance: on the bus with all others, then serving the build. */
export async function start(
  { PORT: port, ORIGIN: origin }: { PORT: number; ORIGIN: string },
  { instance, log, redis }: Context,
): Promise<Started> {
  const app = await createApp({ instanceId: instance, port, origin: new URL(origin).origin })
  // After Next is loaded: half a second without a look at the log would be taken for a lost one.
  const bus = createBus({ redis, name: 'platform', instance, log })
  shareBus(bus)
  return {
    listener: (request, response) => app.listener(request, response),
    checks: { bus: () => checkBus(bus) },
    async close() {
      // What runs after a response may still revalidate a tag.
      await app.close()
      await bus.close()
    },
  }
}
