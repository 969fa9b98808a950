import { type Bus, createCache } from '@repo/cache-broadcast'
import { type Instance, instanceSchema, type Registry } from '@repo/service'
import { z } from 'zod'

const table = z.array(instanceSchema)

/**
 * The live instances, read from the registry at most twice a second by all gateways together however
 * many people watch them. Instances announce themselves once a second.
 * @throws CacheError `unavailable`, `timeout`; RedisError
 */
export function createInstanceTable({
  bus,
  registry,
}: {
  bus: Bus
  registry: Pick<Registry, 'instances'>
}): () => Promise<Instance[]> {
  const cache = createCache({
    bus,
    name: 'instances',
    ttlMs: 500,
    outage: 'fail',
    parse: (value) => table.parse(value),
    load: () => registry.instances(),
  })
  return async () => (await cache.get('all')) ?? []
}
