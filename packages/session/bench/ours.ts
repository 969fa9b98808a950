import { hash, randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type Bus, createBus } from '@repo/cache-broadcast'
import type { DatabaseConnection } from '@repo/database'
import type { RedisConnection } from '@repo/redis'
import { inFlight, type Subject } from '@repo/testing/measure'
import { createClaims } from '../src/claims.ts'
import { checkSessionValue, findSessionCookie, signSessionValue } from '../src/cookie.ts'
import { createSessions, type Sessions, type SessionsOptions } from '../src/index.ts'
import type { Live } from '../src/known.ts'

const SESSIONS = 200
/** Checks of one round by a second cookie; each is made beforehand. */
const SHOWN = 5_000

export interface Stores {
  database: DatabaseConnection
  redis: RedisConnection
  secret: string
}

export interface Ours {
  subjects: Subject[]
  /** A lease that outlasts a run which leaves the event loop no turn. */
  settle: () => Promise<void>
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

  // For longer than the run takes.
  const cookieMs = 600_000
  const memo = await open('memo', { cookieMs })
  const cookie = await open('cookie', { cookieMs })
  const redis = await open('redis', { cookieMs: 0, maxEntries: 100 })
  const plain = createSessions({ database, secret })
  opened.push(plain)
  for (const header of headers) await memo.validate(header)
  const shown = showEach(headers, secret, buses[0]?.link.applied() ?? 0)

  const subjects: Subject[] = [
    {
      name: 'L0 memory',
      n: 200_000,
      run: (n) => inFlight(n, 64, (i) => check(memo, headerOf(headers, i), 'memo')),
    },
    {
      name: 'L1 second cookie, never seen',
      n: SHOWN,
      run: (n) => inFlight(n, 64, () => check(cookie, shown.next().value ?? '', 'cookie')),
    },
    {
      name: 'L2 Redis, never seen',
      n: 20_000,
      run: (n) => inFlight(n, 64, (i) => check(redis, headerOf(headers, i), 'redis')),
    },
    {
      name: 'L3 PostgreSQL',
      n: 5_000,
      run: (n) => inFlight(n, 20, (i) => check(plain, headerOf(headers, i), 'database')),
    },
  ]

  return {
    subjects,
    async settle() {
      do await pause(5)
      while (buses.some((bus) => bus.health().leaseMsLeft < 600))
      await Promise.all(opened.map((sessions) => sessions.ready()))
    },
    async saved() {
      const three = await Promise.all(['x', 'y', 'z'].map((id) => open(id)))
      await Promise.all(
        three.map((sessions) =>
          inFlight(100_000, 64, (i) => sessions.validate(headerOf(headers, i))),
        ),
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

function headerOf(headers: string[], i: number): string {
  return headers[i % SESSIONS] ?? ''
}

async function check(sessions: Sessions, header: string, tier: string) {
  const found = await sessions.validate(header)
  if (found.outcome !== 'valid' || found.tier !== tier) {
    throw new Error(`${tier}: ${JSON.stringify(found)}`)
  }
}

/** A second cookie for each check: what an instance meets that never saw the browser. */
function* showEach(headers: string[], secret: string, n: number): Generator<string, string> {
  const claims = createClaims([secret])
  const rounds = Array.from({ length: SHOWN * 8 }, (_, i) => {
    const header = headers[i % SESSIONS] ?? ''
    const sessionCookie = findSessionCookie(header, {}) ?? ''
    const { token } = checkSigned(sessionCookie, secret)
    const at = new Date(Date.now() + 86_400_000)
    const session = { id: token, createdAt: at, expiresAt: at }
    const user = { id: 'bench', name: 'Ada Lovelace', email: 'ada@threefold.test', role: 'user' }
    const live: Live = { state: 'live', session, user, until: at }
    const untilMs = Date.now() + 600_000 + i
    const value = claims.sign({ key: hash('sha256', token), n, untilMs, live }, sessionCookie)
    return `${header}; threefold.sc=${value}`
  })
  yield* rounds
  return ''
}

function checkSigned(sessionCookie: string, secret: string) {
  const signed = checkSessionValue(sessionCookie, { secret })
  if (signed.outcome === 'none') throw new Error('not signed')
  return signed
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
