import { createMemoryBus } from '@repo/cache-broadcast/memory'
import { checkNumber, readOnce } from './checks.ts'
import { readOptions, type SessionsOptions } from './options.ts'
import { createSessions } from './sessions.ts'
import type { Sessions } from './types.ts'

/**
 * Sessions of an app with a single instance and without Redis.
 *
 * @param options.replicas the number of instances of the app
 * @throws CacheError `single-instance` for more than one, since they could not inform each other
 * @throws SessionError `bad-option`
 */
export function createMemorySessions(
  given: Omit<SessionsOptions, 'bus' | 'redis'> & { replicas?: number },
): Sessions {
  const { replicas = 1, ...options } = readOnce('bad-option', 'options', given)
  checkNumber('bad-option', 'replicas', replicas, { min: 1, max: 100_000, isInteger: true })
  readOptions(options)
  const bus = createMemoryBus({ replicas, name: 'platform' })
  options.log?.warn(
    { event: 'session.memory' },
    'sessions are cached in memory only, which is correct for a single instance',
  )
  const sessions = createSessions({ ...options, bus })
  return {
    ...sessions,
    async close() {
      await sessions.close()
      await bus.close()
    },
  }
}
