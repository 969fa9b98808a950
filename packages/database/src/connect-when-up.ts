import { setTimeout as wait } from 'node:timers/promises'
import { Client } from 'pg'
import { isDatabaseUnavailable } from './availability.ts'

/**
 * One connection, to a server that may still be starting.
 * @throws the server's last answer: at once when it refuses us, after `waitMs` when it is away
 */
export async function connectWhenUp({
  url,
  name,
  waitMs,
  queryTimeoutMs,
}: {
  url: string
  name: string
  waitMs: number
  queryTimeoutMs: number
}): Promise<Client> {
  const giveUpAt = performance.now() + waitMs
  for (;;) {
    const client = new Client({
      connectionString: url,
      application_name: name,
      connectionTimeoutMillis: 2_000,
      query_timeout: queryTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    })
    // The server may go away between two statements; the next statement reports it.
    client.on('error', () => undefined)
    try {
      await client.connect()
      return client
    } catch (error) {
      if (!isDatabaseUnavailable(error) || performance.now() > giveUpAt) throw error
      await wait(200)
    }
  }
}
