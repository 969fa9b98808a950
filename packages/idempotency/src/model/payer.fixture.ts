import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { connectDatabase, type DatabaseConnection } from '@repo/database'
import { connectRedis } from '@repo/redis'
import { serveReplica } from '@repo/testing/replica'
import { sql } from 'drizzle-orm'
import { IdempotencyError } from '../errors.ts'
import { createOnce } from '../once.ts'
import { redisStore } from '../redis/redis-store.ts'
import { tieredStore } from '../tiered/tiered-store.ts'
import type { Attempt, Once, StoredResponse } from '../types.ts'

export interface Opening {
  databaseUrl: string
  redisUrl: string
  leaseMs: number
  /** Whether a payment commits together with its key. */
  isTogether: boolean
}

export interface Paid {
  outcome: string
  bytes?: string
}

let once: Once
let database: DatabaseConnection
let isTogether: boolean

/** Each payment is a row. The pauses let a kill hit any part of it. */
async function pay(key: string, attempt: Attempt): Promise<StoredResponse> {
  const id = randomUUID()
  const insert = sql`insert into model.payment values (${key}, ${id})`
  const response = { status: 201, headers: [], body: Buffer.from(id) }
  if (isTogether) {
    return attempt.transaction(async (tx) => {
      await pause(10 * Math.random())
      await tx.execute(insert)
      await pause(10 * Math.random())
      return response
    })
  }
  await database.db.execute(insert)
  await pause(20 * Math.random())
  return response
}

serveReplica({
  async open(opening: Opening) {
    const { databaseUrl, redisUrl, leaseMs } = opening
    isTogether = opening.isTogether
    const redis = connectRedis({ url: redisUrl, name: 'payer' })
    await redis.ready(30_000)
    database = connectDatabase({ url: databaseUrl, name: 'payer', poolSize: 10 })
    const store = tieredStore({ redis: redisStore({ redis }), db: database.db })
    once = createOnce({ store, leaseMs })
  },
  async pay(key: string): Promise<Paid> {
    const request = { scope: 'user', key, fingerprint: 'p'.repeat(43) }
    try {
      const finished = await once.run(request, (attempt) => pay(key, attempt))
      const bytes = 'response' in finished ? finished.response.body.toString() : undefined
      return { outcome: finished.outcome, ...(bytes !== undefined && { bytes }) }
    } catch (error) {
      if (error instanceof IdempotencyError) return { outcome: error.code }
      throw error
    }
  },
})
