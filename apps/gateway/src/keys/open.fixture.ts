import { randomUUID } from 'node:crypto'
import { type Bus, createBus } from '@repo/cache-broadcast'
import { connectDatabase, type DatabaseConnection, schema } from '@repo/database'
import { connectRedis, type RedisConnection } from '@repo/redis'
import { createSessions, type Sessions } from '@repo/session'
import { createKeys, type Keys, type KeysOptions } from './keys.ts'

export interface Stores {
  databaseUrl: string
  redisUrl: string
}

export interface Joined {
  keys: Keys
  sessions: Sessions
  bus: Bus
  redis: RedisConnection
  database: DatabaseConnection
}

/** An instance on its own connections, which is ready. No turn of an outbox or of last uses runs. */
export async function openInstance(
  { databaseUrl, redisUrl }: Stores,
  instance: string,
  options: Partial<KeysOptions> = {},
  create = createKeys,
): Promise<Joined> {
  const database = connectDatabase({ url: databaseUrl, name: instance, poolSize: 6 })
  const redis = connectRedis({ url: redisUrl, name: instance })
  await redis.ready()
  const bus = createBus({ redis, name: 'platform', instance })
  const secret = 'a secret of at least thirty-two characters'
  const sessions = createSessions({ database, bus, redis, secret, relayMs: 3_600_000 })
  await sessions.ready()
  const keys = create({ database, bus, sessions, useMs: 3_600_000, ...options })
  return { keys, sessions, bus, redis, database }
}

export async function closeInstance({ keys, sessions, bus, redis, database }: Joined) {
  await keys.close()
  await sessions.close().catch(() => 'a store that the test broke')
  await bus.close()
  await Promise.all([redis.close(), database.close()])
}

/** A user with a session. */
export async function makeUser({ db }: DatabaseConnection) {
  const [userId, sessionId] = [randomUUID(), randomUUID()]
  await db.insert(schema.user).values({ id: userId, name: 'Ada', email: `${userId}@x` })
  const expiresAt = new Date(Date.now() + 3_600_000)
  await db.insert(schema.session).values({ id: sessionId, token: randomUUID(), userId, expiresAt })
  return { userId, sessionId }
}

/** A key of a new user. */
export async function makeKey(
  { keys, database }: Pick<Joined, 'keys' | 'database'>,
  scopes: string[] = ['payments:read'],
) {
  const caller = await makeUser(database)
  const made = await keys.create(caller, { name: 'Build', scopes })
  if (made.outcome !== 'created') throw new Error(`no key: ${made.outcome}`)
  return { ...caller, id: made.key.id, text: made.text }
}
