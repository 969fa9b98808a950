import { randomUUID } from 'node:crypto'
import { type Bus, createBus } from '@repo/cache-broadcast'
import { connectDatabase, type DatabaseConnection } from '@repo/database'
import { connectRedis, type RedisConnection } from '@repo/redis'
import { signSessionValue } from './cookie/session-cookie.ts'
import { createSessions, type Sessions, type SessionsOptions } from './index.ts'

export const SECRET = 'a secret of at least thirty-two characters'

/** Connections of an instance to PostgreSQL. */
export const POOL_SIZE = 6

export interface Joined {
  sessions: Sessions
  bus: Bus
  redis: RedisConnection
  database: DatabaseConnection
}

export interface Stores {
  databaseUrl: string
  redisUrl: string
}

/** An instance on its own connections, which is ready. */
export async function openInstance(
  { databaseUrl, redisUrl }: Stores,
  instance: string,
  options: Partial<SessionsOptions> = {},
  create = createSessions,
): Promise<Joined> {
  const database = connectDatabase({ url: databaseUrl, name: instance, poolSize: POOL_SIZE })
  const log = options.log && { log: options.log }
  const redis = connectRedis({ url: redisUrl, name: instance, ...log })
  await redis.ready()
  const bus = createBus({ redis, name: 'platform', instance, ...log })
  const sessions = create({ database, bus, redis, secret: SECRET, ...options })
  await sessions.ready()
  return { sessions, bus, redis, database }
}

export async function closeInstance({ sessions, bus, redis, database }: Joined): Promise<void> {
  await sessions.close().catch(() => 'a store that the test broke')
  await bus.close()
  await Promise.all([redis.close(), database.close()])
}

/** Creates a user. An administrator is never the last one, which the database would not remove. */
export async function makeUser({ pool }: DatabaseConnection, role = 'user'): Promise<string> {
  const id = randomUUID()
  if (role === 'admin') {
    await pool.query(`insert into "user" (id, name, email, role)
      values ('root', 'Root', 'root@x', 'admin') on conflict do nothing`)
  }
  await pool.query(`insert into "user" (id, name, email, role) values ($1, 'Ada', $2, $3)`, [
    id,
    `${id}@x`,
    role,
  ])
  return id
}

/** A sign-in as Better Auth performs it, with the `Cookie` header of its browser. */
export async function signIn({ pool }: DatabaseConnection, userId: string) {
  const [id, token] = [randomUUID(), randomUUID().replaceAll('-', '')]
  await pool.query(
    `insert into session (id, token, user_id, expires_at, user_agent)
     values ($1, $2, $3, now() + interval '7 days', 'a browser')`,
    [id, token, userId],
  )
  return { id, token, cookie: cookieOf(token) }
}

export function cookieOf(token: string, secret = SECRET): string {
  return `theme=dark; better-auth.session_token=${signSessionValue(token, secret)}`
}

/** The `Cookie` header with the cookie of a `Set-Cookie` line. */
export function withCookie(header: string, setCookie: string | undefined): string {
  return `${header}; ${setCookie?.split(';', 1)[0]}`
}

/** The `Cookie` header that a browser sends after this instance has checked its session. */
export async function withSecondCookie(
  { sessions }: Pick<Joined, 'sessions'>,
  cookie: string,
): Promise<string> {
  const check = await sessions.validate(cookie)
  const setCookie = check.outcome === 'valid' ? check.setCookie : undefined
  if (setCookie === undefined) throw new Error(`no second cookie: ${check.outcome}`)
  return withCookie(cookie, setCookie)
}
