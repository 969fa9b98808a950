import { createLog } from '@repo/observability'
import { connectRedis, type RedisConnection } from '@repo/redis'
import { createRegistry, type Registry, type RegistryOptions } from './registry.ts'

export interface Member extends AsyncDisposable {
  id: string
  redis: RedisConnection
  registry: Registry
  /** The settings of each drift that it logged, in order. */
  drifts: string[][]
  /** The names of the events that it logged. */
  events: string[]
}

export interface MemberOptions extends Partial<RegistryOptions> {
  id: string
  redisUrl: string
  prefix?: string
  /** Changes its calls of Redis, for mutants. */
  through?: (redis: RedisConnection) => RedisConnection
}

/** Creates an instance that is only registered, with a separate connection. */
export async function join({
  id,
  redisUrl,
  prefix,
  through,
  ...options
}: MemberOptions): Promise<Member> {
  const drifts: string[][] = []
  const events: string[] = []
  const destination = {
    write(line: string) {
      const { event, settings }: { event?: string; settings?: string[] } = JSON.parse(line)
      if (event) events.push(event)
      if (event === 'config.drift' && settings) drifts.push(settings)
    },
  }
  const redis = connectRedis({ url: redisUrl, prefix, name: id, deadlineMs: 5_000 })
  await redis.ready(10_000)
  const registry = createRegistry({
    redis: through?.(redis) ?? redis,
    log: createLog({ app: 'test', instance: id, version: '', destination }),
    describe: () => ({
      id,
      app: id.split('-')[0] ?? id,
      version: '1',
      url: `http://${id}`,
      startedAt: '2026-11-24T12:00:00.000Z',
      ready: true,
      load: 0,
    }),
    settings: { MODE: 'one' },
    // Only when the test announces it.
    everyMs: 1_000_000,
    ...options,
  })
  return {
    id,
    redis,
    registry,
    drifts,
    events,
    async [Symbol.asyncDispose]() {
      await registry.close()
      await redis.close()
    },
  }
}
