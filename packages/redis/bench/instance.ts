/** The instance processes of the bench: a GET by ioredis and by our connection. */
import { type OpenContender, serveContenders } from '@repo/testing/bench'
import { Redis } from 'ioredis'
import { connectRedis } from '../src/index.ts'

const KEY = 'bench'

async function openBare(redisUrl: string, enableAutoPipelining: boolean) {
  const client = new Redis(redisUrl, { enableAutoPipelining })
  await client.set(KEY, 'value')
  return { run: () => client.get(KEY), close: () => client.quit() }
}

/** Our connection, with `call` or by the client itself, which has the batch of writes only. */
function openOurs(isCall: boolean): OpenContender {
  return async ({ redisUrl }) => {
    const redis = connectRedis({ url: redisUrl, name: 'bench' })
    await redis.ready()
    const { client } = redis
    await client.set(KEY, 'value')
    const close = () => redis.close()
    if (!isCall) return { run: () => client.get(KEY), close }
    return { run: () => redis.call((connected) => connected.get(KEY)), close }
  }
}

serveContenders({
  call: openOurs(true),
  'batch without call': openOurs(false),
  'bare GET': ({ redisUrl }) => openBare(redisUrl, false),
  'auto-pipelined GET': ({ redisUrl }) => openBare(redisUrl, true),
})
