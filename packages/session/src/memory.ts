import { createMemoryBus } from '@repo/cache-broadcast/memory'
import { checkNumber, readOnce } from './checks.ts'
import { readOptions, type SessionsOptions } from './options.ts'
import { createSessions } from './sessions.ts'
import type { Sessions } from './types.ts'

/**
 * Sessions of the only instance of an app, without Redis: what it does itself it hears at once.
 *
 * @param options.replicas how many instances the app runs with
 * @throws CacheError `single-instance` for more than one: they would not hear each other
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
    'sessions are cached in memory only: for a single instance',
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
