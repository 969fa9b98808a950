import { Redis } from 'ioredis'
import { Client } from 'pg'

/** Deletes all keys, tables and migrations, so that every example begins with empty stores. */
export async function emptyStores(redisUrl: string, databaseUrl: string): Promise<void> {
  const redis = new Redis(redisUrl)
  await redis.flushall()
  redis.disconnect()
  const client = new Client(databaseUrl)
  await client.connect()
  await client.query('drop schema if exists drizzle, public cascade; create schema public')
  await client.end()
}
