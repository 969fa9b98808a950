import { drizzle } from 'drizzle-orm/node-postgres'
import type { Pool } from 'pg'
import { isDatabaseUnavailable } from './availability.ts'
import type { Database } from './connect.ts'
import * as schema from './schema.ts'

/**
 * Transactions that survive an outage. Drizzle's own never gives a connection back whose BEGIN
 * failed, and gives one back that still waits for an answer: the next query would then run inside
 * the transaction that nobody ended, and its write would be lost.
 */
export function createTransaction(pool: Pool): Database['transaction'] {
  return async (run, config) => {
    const client = await pool.connect()
    let reason: unknown
    try {
      return await drizzle({ client, schema }).transaction(async (tx) => {
        try {
          return await run(tx)
        } catch (error) {
          reason = error
          // Who does not answer a statement will not answer ROLLBACK either; the server rolls back
          // when it sees that we are gone.
          if (isDatabaseUnavailable(error)) void client.end()
          throw error
        }
      }, config)
    } catch (error) {
      reason ??= error
      // Not the ROLLBACK's own failure, which would hide why.
      throw reason
    } finally {
      client.release(client.getTransactionStatus() !== 'I' || isDatabaseUnavailable(reason))
    }
  }
}
