import { type Bus, cacheFigures, createCache } from '@repo/cache-broadcast'
import type { Metrics } from '@repo/observability'
import { type Instance, instanceSchema, type Registry } from '@repo/service'
import { z } from 'zod'

const list = z.array(instanceSchema)

/**
 * Reads the live instances. All gateways together read the registry at most twice a second.
 * Instances announce themselves once a second.
 * @throws CacheError `unavailable`, `timeout`; RedisError
 */
export function createInstanceList({
  bus,
  registry,
  metrics,
}: {
  bus: Bus
  registry: Pick<Registry, 'instances'>
  metrics: Pick<Metrics, 'observe'>
}): () => Promise<Instance[]> {
  const cache = createCache({
    bus,
    name: 'instances',
    ttlMs: 500,
    outage: 'fail',
    parse: (value) => list.parse(value),
    load: () => registry.instances(),
  })
  metrics.observe(cacheFigures(cache))
  return async () => (await cache.get('all')) ?? []
}
