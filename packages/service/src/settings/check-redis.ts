import { checkEvictionPolicy, connectRedis, parseRedisUrl, type Topology } from '@repo/redis'
import { parseEnv } from './env.ts'
import { redisSettings, redisTopology } from './redis-settings.ts'

/**
 * `node src/settings/check-redis.ts`: checks that services can use the Redis of the settings, with their
 * prefix, sentinels and nodes. Prints one line for each fault and then exits 1.
 */
const { REDIS_URL = '', ...given } = process.env
const url = REDIS_URL === '' ? 'redis://localhost:6379' : REDIS_URL
const parsed = parseEnv(redisSettings, { ...given, REDIS_URL: url })
const faults =
  parsed.outcome === 'valid' ? await findFaults(redisTopology(parsed.env)) : parsed.faults
for (const fault of faults) process.stderr.write(`${fault}\n`)
if (faults.length > 0) process.exitCode = 1

async function findFaults(topology: Topology): Promise<string[]> {
  const redis = connectRedis({ ...topology, name: 'check' })
  try {
    await redis.ready()
    const check = await checkEvictionPolicy(redis)
    if (check.outcome === 'unsafe') {
      const text = `maxmemory-policy ${check.policy}; set it to noeviction, or state is lost`
      return [`REDIS_URL: Redis has ${text}`]
    }
    // A policy that cannot be read is no fault. A server that has become unreachable is a fault.
    if (check.outcome === 'unknown') await redis.call((client) => client.ping())
    return []
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined
    const why = cause?.message ? ` (${cause.message.split('\n', 1)[0]})` : ''
    const { host, port } = parseRedisUrl(topology.url)
    return [`REDIS_URL: ${host}:${port} cannot be used as a Redis server${why}`]
  } finally {
    await redis.close()
  }
}
