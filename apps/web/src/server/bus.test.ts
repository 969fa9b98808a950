import { createMemoryBus } from '@repo/cache-broadcast/memory'
import { expect, test } from 'vitest'
import { shareBus } from './bus.ts'
import handler from './cache-handler.ts'

test('the cache handler that Next imports uses the bus of the instance, and caches nothing in a build', async () => {
  await expect(handler.updateTags(['settings'])).rejects.toThrow('no instance runs here')
  expect(await handler.get('page', [])).toBeUndefined()

  const bus = createMemoryBus({ replicas: 1 })
  shareBus(bus)
  await handler.set('page', Promise.resolve(entry()))
  expect(await handler.get('page', [])).toMatchObject({ tags: ['settings'] })
  // As the gateway does, which has only the tag.
  await bus.invalidateTag('settings')
  expect(await handler.get('page', [])).toBeUndefined()
  await bus.close()
})

function entry() {
  const value = new Blob(['made']).stream()
  const timestamp = performance.timeOrigin + performance.now()
  return { value, tags: ['settings'], stale: 60, timestamp, expire: 3_600, revalidate: 60 }
}
