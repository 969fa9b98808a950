import { createMemoryBus } from '@repo/cache-broadcast/memory'
import { expect, test } from '@repo/testing'
import { checkStores } from './health-check.ts'

/** A trust that holds after a number of attempts to regain it. */
function trustAfter(needed: number) {
  let attempts = 0
  return {
    attempts: () => attempts,
    holds: () => attempts >= needed,
    regain: async () => void (attempts += 1),
  }
}

test('the health check passes if its last attempt restores the trust in cached sessions', async () => {
  const bus = createMemoryBus({ name: 'platform' })
  const never = trustAfter(Infinity)
  await expect(checkStores(bus, never)).rejects.toMatchObject({ code: 'degraded' })
  expect(never.attempts()).toBeGreaterThan(1)
  await checkStores(bus, trustAfter(never.attempts()))
  await bus.close()
})
