import { createNextHandler } from '@repo/cache-broadcast/next'
import { sharedBus } from './bus.ts'

/** Where `'use cache: remote'` keeps what it makes: in Redis for all instances, and in memory here. */
// oxlint-disable-next-line import/no-default-export -- Next asks for one
export default createNextHandler({
  bus: sharedBus,
  onError: (error) =>
    console.warn(JSON.stringify({ event: 'shared_cache_missed', error: String(error) })),
})
