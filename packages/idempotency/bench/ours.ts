import { connectRedis } from '@repo/redis'
import type { Contender, InstanceContext } from '@repo/testing/bench'
import { idempotency } from '../src/http/hono.ts'
import { createOnce, fingerprintOf, type IdempotencyStore } from '../src/index.ts'
import { postgresStore } from '../src/postgres/postgres-store.ts'
import { redisStore } from '../src/redis/redis-store.ts'
import { tieredStore } from '../src/tiered/tiered-store.ts'
import { createKeys, type Guard, REQUEST_BODY, RESPONSE_TEXT, SCOPE, TTL_MS } from './requests.ts'
import { connectBenchDatabase, pay } from './transactions.ts'

const DEADLINE_MS = 5_000
const READY_MS = 30_000
const BODY = Buffer.from(JSON.stringify(REQUEST_BODY))
const RESPONSE = {
  status: 201,
  headers: ['content-type', 'application/json'],
  body: Buffer.from(RESPONSE_TEXT),
}

async function openRedis(url: string) {
  const redis = connectRedis({ url, name: 'bench', deadlineMs: DEADLINE_MS })
  await redis.ready(READY_MS)
  return { store: redisStore({ redis }), close: () => redis.close() }
}

/** The middleware with the store in Redis. */
export async function openOurs(redisUrl: string): Promise<Guard> {
  const redis = await openRedis(redisUrl)
  const once = createOnce({ store: redis.store, ttlMs: TTL_MS })
  const middleware = idempotency({ once, scope: () => SCOPE })
  async function close() {
    await once.close()
    await redis.close()
  }
  return { middleware, close }
}

/** First calls whose row commits with their response. */
export async function openTiered({ redisUrl }: InstanceContext): Promise<Contender> {
  const redis = await openRedis(redisUrl)
  const database = connectBenchDatabase()
  const store = tieredStore({ redis: redis.store, db: database.db })
  return openTransactions(store, async () => {
    await redis.close()
    await database.close()
  })
}

/** The same without Redis: the claim is a lock of the transaction. */
export function openLock(): Contender {
  const database = connectBenchDatabase()
  return openTransactions(postgresStore({ db: database.db, claim: 'lock' }), database.close)
}

function openTransactions(store: IdempotencyStore, closeStores: () => Promise<void>): Contender {
  const once = createOnce({ store, ttlMs: TTL_MS })
  const keyOf = createKeys()
  async function run(i: number): Promise<void> {
    const fingerprint = fingerprintOf({ method: 'POST', target: '/payments', body: BODY })
    const { outcome } = await once.run({ scope: SCOPE, key: keyOf(i), fingerprint }, (attempt) =>
      attempt.transaction(async (tx) => {
        await pay(tx)
        return RESPONSE
      }),
    )
    if (outcome !== 'fresh') throw new Error(`A new key is ${outcome}`)
  }
  async function close() {
    await once.close()
    await closeStores()
  }
  return { run, close }
}
