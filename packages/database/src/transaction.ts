import { drizzle } from 'drizzle-orm/node-postgres'
import type { Pool } from 'pg'
import type { Database } from './connect.ts'
import * as schema from './schema.ts'

/**
 * Transactions that survive an outage. Drizzle's own `transaction` never releases a connection whose
 * BEGIN failed, and releases one with its transaction open: the next query runs inside that
 * transaction, and its write is lost.
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
          throw error
        }
      }, config)
    } catch (error) {
      // The reason, and not the failure of the ROLLBACK that followed it.
      throw reason ?? error
    } finally {
      client.release(client.getTransactionStatus() !== 'I')
    }
  }
}
