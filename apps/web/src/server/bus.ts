import type { Bus } from '@repo/cache-broadcast'

/**
 * Next imports the cache handler itself and passes it nothing, in a build and in a running
 * instance. Both module graphs share a registered symbol.
 */
const key: unique symbol = Symbol.for('threefold.web.bus')
const shared: typeof globalThis & { [key]?: Bus } = globalThis

/** Makes the bus of this instance available to the cache handler. */
export function shareBus(bus: Bus): void {
  shared[key] = bus
}

/** @throws Error if no instance runs in this process, as in a build */
export function sharedBus(): Bus {
  const bus = shared[key]
  if (!bus) throw new Error('no instance runs here, so there is no bus to cache by')
  return bus
}
