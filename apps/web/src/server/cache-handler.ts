import { createNextHandler } from '@repo/cache-broadcast/next'
import { sharedBus } from './bus.ts'

/** Stores the entries of `'use cache: remote'` in Redis for all instances, and in local memory. */
// oxlint-disable-next-line import/no-default-export -- Next requires it
export default createNextHandler({
  bus: sharedBus,
  onError: (error) =>
    // In an instance `console` writes to the log, whose lines have fields.
    console.warn({ event: 'shared_cache_missed', error: String(error) }, 'the cache was not used'),
})
