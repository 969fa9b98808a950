import type { Bus } from '@repo/cache-broadcast'

/**
 * Next imports the cache handler by itself, in a build as in a running instance, and says nothing to
 * it. A registered symbol is the one name that both know, in whichever module graph either is.
 */
const key: unique symbol = Symbol.for('threefold.web.bus')
const shared: typeof globalThis & { [key]?: Bus } = globalThis

/** Hands this instance's bus to the cache handler. */
export function shareBus(bus: Bus): void {
  shared[key] = bus
}

/** @throws Error where no instance runs, as in a build */
export function sharedBus(): Bus {
  const bus = shared[key]
  if (!bus) throw new Error('no instance runs here, so there is no bus to cache by')
  return bus
}
