import { findUrlFault, parseRedisUrl } from './address.ts'
import { connectRedis } from './connect.ts'
import { checkEvictionPolicy } from './eviction-policy.ts'

/** `REDIS_URL=… node src/check.ts`: whether the server can be used; one line says why not. */
const url = process.env['REDIS_URL'] || 'redis://localhost:6379'
const fault = findUrlFault(url) ?? (await findFault(url))
if (fault !== undefined) {
  process.stderr.write(`REDIS_URL: ${fault}\n`)
  process.exitCode = 1
}

async function findFault(server: string): Promise<string | undefined> {
  const redis = connectRedis({ url: server, name: 'check' })
  try {
    await redis.ready()
    const check = await checkEvictionPolicy(redis)
    if (check.outcome === 'unsafe') {
      return `Redis has maxmemory-policy ${check.policy}; set it to noeviction, or state is lost`
    }
    // A policy that we may not see is fine, a server that went away meanwhile is not.
    if (check.outcome === 'unknown') await redis.call((client) => client.ping())
    return undefined
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined
    const why = cause?.message ? ` (${cause.message.split('\n', 1)[0]})` : ''
    const { host, port } = parseRedisUrl(server)
    return `${host}:${port} does not answer as a Redis server that lets us in${why}`
  } finally {
    await redis.close()
  }
}
