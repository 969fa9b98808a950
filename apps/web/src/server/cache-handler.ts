import { createNextHandler } from '@repo/cache-broadcast/next'
import { sharedBus } from './bus.ts'

/** Where `'use cache: remote'` keeps what it makes: in Redis for all instances, and in memory here. */
// oxlint-disable-next-line import/no-default-export -- Next asks for one
export default createNextHandler({
  bus: sharedBus,
  onError: (error) =>
    // In an instance `console` is the log, whose lines have fields.
    console.warn({ event: 'shared_cache_missed', error: String(error) }, 'the cache was not used'),
})
