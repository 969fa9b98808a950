export { createBus } from './bus/bus.ts'
export { type EventHandler, type Subscription } from './bus/handlers.ts'
export {
  type Bus,
  type BusHealth,
  type BusOptions,
  type Delivery,
  type DeliveryOptions,
  type InvalidateOptions,
} from './bus/types.ts'
export { createCache } from './cache/cache.ts'
export { type CacheOptions, type Outage } from './cache/options.ts'
export { openStore } from './cache/store.ts'
export { type Cache, type CacheStats, type SetOptions } from './cache/types.ts'
export { CacheError, type CacheErrorCode, isCacheOutage } from './errors.ts'
export { busFigures, cacheFigures, checkBus } from './metrics.ts'
