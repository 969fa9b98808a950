import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency'
import { CachePersistenceLayer } from '@aws-lambda-powertools/idempotency/cache'
import { Idempotency, type IdempotencyParams } from '@node-idempotency/core'
import { RedisStorageAdapter } from '@node-idempotency/storage-adapter-redis'
import { createClient } from '@redis/client'
import type { Context, Next } from 'hono'
import { openExpressIdempotency } from './express.ts'
import { type Guard, TTL_MS } from './requests.ts'

/** Each peer as its documentation sets it up, with a record of 24 hours. */
export const peers: Record<string, (redisUrl: string) => Promise<Guard>> = {
  '@node-idempotency/core': openNodeIdempotency,
  '@aws-lambda-powertools/idempotency': openPowertools,
  'express-idempotency': openExpressIdempotency,
}

/** The steps of its Express plug-in. The record is awaited, which the plug-in does not. */
async function openNodeIdempotency(url: string): Promise<Guard> {
  const storage = new RedisStorageAdapter({ url })
  await storage.connect()
  const idempotency = new Idempotency(storage, { cacheTTLMS: TTL_MS })
  return {
    async middleware(c, next) {
      const request: IdempotencyParams = {
        headers: c.req.header(),
        body: await c.req.json(),
        path: c.req.path,
        method: c.req.method,
      }
      const replayed = await idempotency.onRequest(request)
      if (replayed) {
        c.header('idempotent-replayed', 'true')
        return send(c, JSON.stringify(replayed.body), Number(replayed.additional?.['statusCode']))
      }
      await next()
      const { status } = c.res
      const text = await c.res.text()
      const additional = { statusCode: status }
      await idempotency.onResponse(request, { body: JSON.parse(text), additional })
      return answer(c, text, status)
    },
    close: () => storage.disconnect(),
  }
}

/** A context of Lambda: without it, each replica executes a request again. */
const lambda = { getRemainingTimeInMillis: () => 15_000 }

async function openPowertools(url: string): Promise<Guard> {
  const client = createClient({ url })
  await client.connect()
  const persistenceStore = new CachePersistenceLayer({
    client: {
      get: (key) => client.get(key),
      set: (key, value, options) => Reflect.apply(client.set, client, [key, value, options]),
      del: (keys) => client.del(keys),
    },
  })
  const expiresAfterSeconds = TTL_MS / 1_000
  const config = new IdempotencyConfig({ eventKeyJmesPath: 'key', expiresAfterSeconds })
  const once = makeIdempotent(handle, { persistenceStore, config })
  return {
    async middleware(c, next) {
      const event = { key: c.req.header('idempotency-key'), body: await c.req.json() }
      const { body, status } = await once(event, lambda, c, next)
      return answer(c, body, status)
    },
    close: () => client.close(),
  }
}

async function handle(_event: object, _lambda: typeof lambda, c: Context, next: Next) {
  await next()
  const { status } = c.res
  return { status, body: await c.res.text() }
}

/** Sets the response after the handlers; without the first line, Hono copies its headers again. */
function answer(c: Context, body: string, status: number): undefined {
  c.res = undefined
  c.res = send(c, body, status)
}

function send(c: Context, body: string, status: number): Response {
  return new Response(body, { status, headers: { 'content-type': 'application/json' } })
}
