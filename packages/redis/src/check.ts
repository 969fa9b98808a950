import { connectRedis } from './connect.ts'
import { checkEvictionPolicy } from './eviction-policy.ts'

/** `REDIS_URL=… node src/check.ts`: whether the server can be used; one line says why not. */
const url = process.env['REDIS_URL'] ?? 'redis://localhost:6379'
const redis = connectRedis({ url, name: 'check' })
try {
  await redis.ready()
  const policy = await checkEvictionPolicy(redis)
  if (policy.outcome === 'unsafe') {
    fail(`Redis has maxmemory-policy ${policy.policy}; set it to noeviction, or state is lost`)
  }
} catch {
  fail(`REDIS_URL: ${new URL(url).host} does not answer as a Redis server that lets us in`)
}
await redis.close()

function fail(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
