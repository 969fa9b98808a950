import { Redis } from 'ioredis'
import { Client, type ClientConfig } from 'pg'

/** A client that neither retries nor reconnects: a test sees the server, not a client's patience. */
export function redisOnce(url: string, options: { commandTimeout?: number } = {}): Redis {
  const redis = new Redis(url, {
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    lazyConnect: true,
    ...options,
  })
  redis.on('error', () => undefined)
  return redis
}

export async function connectPostgres(
  connectionString: string,
  options: ClientConfig = {},
): Promise<Client> {
  const client = new Client({ connectionString, ...options })
  client.on('error', () => undefined)
  await client.connect()
  return client
}
