import { randomUUID } from 'node:crypto'
import { type Bus, createBus } from '@repo/cache-broadcast'
import type { DatabaseConnection } from '@repo/database'
import type { RedisConnection } from '@repo/redis'
import { signSessionValue } from '../src/cookie.ts'
import { createSessions, type Sessions, type SessionsOptions } from '../src/index.ts'
import { inFlight, type Subject } from './measure.ts'

const SESSIONS = 200

export interface Stores {
  database: DatabaseConnection
  redis: RedisConnection
  secret: string
}

export interface Ours {
  subjects: Subject[]
  buses: Bus[]
  /** Share of checks that asked PostgreSQL, of a third of a million over three instances. */
  saved: () => Promise<number>
  close: () => Promise<void>
}

/** Every way in which a check can be answered, each on an instance that has no shorter one. */
export async function openOurs(stores: Stores): Promise<Ours> {
  const { database, secret } = stores
  const headers = await signInMany(stores)
  const buses: Bus[] = []
  const opened: Sessions[] = []

  async function open(instance: string, options: Partial<SessionsOptions> = {}) {
    const bus = createBus({ redis: stores.redis, name: 'platform', instance })
    buses.push(bus)
    const sessions = createSessions({ ...stores, bus, ...options })
    opened.push(sessions)
    await sessions.ready()
    return sessions
  }

  const memo = await open('memo')
  const cookie = await open('cookie')
  const redis = await open('redis', { cookieMs: 0, maxEntries: 1 })
  const plain = createSessions({ database, secret })
  opened.push(plain)
  const both: string[] = []
  for (const header of headers) {
    const check = await memo.validate(header)
    if (check.outcome !== 'valid') throw new Error(`a session is ${check.outcome}`)
    both.push(`${header}; ${check.setCookie?.split(';', 1)[0]}`)
  }
  let run = 0

  async function check(sessions: Sessions, header: string, tier: string) {
    const found = await sessions.validate(header)
    if (found.outcome !== 'valid' || found.tier !== tier) {
      throw new Error(`${tier}: ${JSON.stringify(found)}`)
    }
  }

  const at = (list: string[], i: number) => list[i % SESSIONS] ?? ''
  const subjects: Subject[] = [
    {
      name: 'L0 memory',
      n: 200_000,
      run: (n) => inFlight(n, 64, (i) => check(memo, at(headers, i), 'memo')),
    },
    {
      name: 'L1 second cookie, never seen',
      n: 20_000,
      run(n) {
        run += 1
        // A header that this instance never met: nothing about it is remembered.
        const header = (i: number) => `r=${run}.${i}; ${at(both, i)}`
        return inFlight(n, 64, (i) => check(cookie, header(i), 'cookie'))
      },
    },
    {
      name: 'L2 Redis, never seen',
      n: 20_000,
      run: (n) => inFlight(n, 64, (i) => check(redis, at(headers, i), 'redis')),
    },
    {
      name: 'L3 PostgreSQL',
      n: 5_000,
      run: (n) => inFlight(n, 20, (i) => check(plain, at(headers, i), 'database')),
    },
  ]

  return {
    subjects,
    buses,
    async saved() {
      const three = await Promise.all(['x', 'y', 'z'].map((id) => open(id)))
      await Promise.all(
        three.map((sessions) => inFlight(100_000, 64, (i) => sessions.validate(at(headers, i)))),
      )
      const said = await Promise.all(three.map((it) => it.observability({ scope: 'instance' })))
      const sum = (of: 'total' | 'databaseQueries') =>
        said.reduce((all, { authentication }) => all + authentication.validations[of], 0)
      return 1 - sum('databaseQueries') / sum('total')
    },
    async close() {
      for (const sessions of opened) await sessions.close()
      for (const bus of buses) await bus.close()
    },
  }
}

/** Many sessions of one user; the `Cookie` headers of browsers that have them. */
async function signInMany({ database, secret }: Stores): Promise<string[]> {
  const tokens = Array.from({ length: SESSIONS }, () => randomUUID().replaceAll('-', ''))
  const { pool } = database
  await pool.query(
    `insert into "user" (id, name, email, role) values ('bench', 'Ada Lovelace', 'ada@threefold.test', 'user')`,
  )
  await pool.query(
    `insert into session (id, token, user_id, expires_at)
     select token, token, 'bench', now() + interval '7 d' from unnest($1::text[]) as token`,
    [tokens],
  )
  return tokens.map(
    (token) => `theme=dark; better-auth.session_token=${signSessionValue(token, secret)}`,
  )
}
