import { type DatabaseConnection, openDatabase } from '@repo/database'
import { createLog, type Log } from '@repo/observability'
import type { RateLimiter } from '@repo/ratelimit'
import { createMemoryRateLimiter } from '@repo/ratelimit/memory'
import { cookieSiteOf, type Sessions } from '@repo/session'
import { createMemorySessions } from '@repo/session/memory'
import { awakeMs } from '@repo/testing/awake-ms'
import type { Hono } from 'hono'
import { createApp } from './app.ts'
import { type Auth, createAuth } from './auth.ts'
import { authPolicies } from './passwords/limits.ts'

export const ORIGIN = 'http://localhost:8080'
export const SECRET = 'k7Jx2mQ9vR4tY8wZ1aB5cD3eF6gH0iL-'
export const OLD_SECRET = 'p3Wn8bE5sK1xC6vM9aZ2qL7tJ4yU0oR-'
export const PASSWORD = 'three-of-everything'

/** The settings of a replica of the app. */
export function environment(databaseUrl: string, redisUrl: string) {
  return {
    HOST: '127.0.0.1',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    ORIGIN,
    AUTH_SECRET: SECRET,
    DRAIN_MS: '0',
  }
}

export interface Answer {
  status: number
  headers: Headers
  body: Record<string, unknown>
  /** The cookies that a browser would send next. */
  cookie: string
  ms: number
}

export interface Ask {
  method?: string
  body?: unknown
  headers?: Record<string, string>
}

export interface TestApp extends AsyncDisposable {
  app: Hono
  auth: Auth
  database: DatabaseConnection
  sessions: Sessions
  limiter: RateLimiter
  log: Log
  /** The log, line by line. */
  lines: string[]
  ask(path: string, ask?: Ask): Promise<Answer>
}

/** The app in this process, over a real database. */
export async function openApp(
  databaseUrl: string,
  change: (database: DatabaseConnection) => DatabaseConnection['db'] = ({ db }) => db,
  origin = ORIGIN,
): Promise<TestApp> {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const log = createLog({ app: 'auth', instance: 'auth-1', version: '', destination })
  const env = {
    DATABASE_URL: databaseUrl,
    DATABASE_CONNECTIONS: 4,
    DATABASE_INSTANCES: 1,
    MIGRATE_ON_BOOT: true,
  }
  const database = await openDatabase({ env, name: 'auth-1', log })
  const cookies = { secret: SECRET, acceptedSecrets: [OLD_SECRET], ...cookieSiteOf(origin) }
  const sessions = createMemorySessions({ database, ...cookies, log })
  const limiter = createMemoryRateLimiter({ policies: authPolicies })
  const onLogin = () => sessions.noteLogin()
  const auth = createAuth({
    db: change(database),
    log,
    origin,
    secret: SECRET,
    onLogin,
    limiter,
  })
  const app = createApp({ auth, sessions, cookies, log })
  return {
    app,
    auth,
    database,
    sessions,
    limiter,
    log,
    lines,
    ask(path, options) {
      const headers = { origin, ...options?.headers }
      return ask((request) => app.fetch(request), origin, path, { ...options, headers })
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([sessions.close(), limiter.close()])
      await database.close()
    },
  }
}

/** One request to Better Auth's API, as the web app's origin sends it. */
export async function ask(
  send: (request: Request) => Response | Promise<Response>,
  base: string,
  path: string,
  { body, headers, method = body === undefined ? 'GET' : 'POST' }: Ask = {},
): Promise<Answer> {
  const began = awakeMs()
  const response = await send(
    new Request(`${base}/api/auth${path}`, {
      method,
      headers: { 'content-type': 'application/json', origin: ORIGIN, ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }),
  )
  const text = await response.text()
  const cookies = response.headers.getSetCookie().map((line) => line.split(';', 1)[0])
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? {} : JSON.parse(text),
    cookie: cookies.join('; '),
    ms: awakeMs() - began,
  }
}

export function person(name: string) {
  return { name, email: `${name}@threefold.test`, password: PASSWORD }
}

export async function count(
  { pool }: DatabaseConnection,
  table: 'user' | 'session' | 'account',
): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(`select count(*)::int as n from "${table}"`)
  return rows[0]?.n ?? -1
}
