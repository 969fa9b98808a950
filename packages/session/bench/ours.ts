import { hash, randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { createBus } from '@repo/cache-broadcast'
import type { Contender } from '@repo/testing/bench'
import { createClaims } from '../src/cookie/second-cookie.ts'
import {
  checkSessionValue,
  findSessionCookie,
  signSessionValue,
} from '../src/cookie/session-cookie.ts'
import { createSessions, type Sessions } from '../src/index.ts'
import type { Live } from '../src/lookup/session-record.ts'
import type { PeerStores } from './peers.ts'

const SESSIONS = 2_000
/** Second cookies that are signed before each round; a round has fewer checks. */
const COOKIES = 100_000
/** Longer than the run takes. */
const COOKIE_MS = 600_000
/** A lease that outlasts a round which leaves the event loop no turn. */
const LEASE_MS = 600

export interface Stores extends PeerStores {
  /** Instances share a bus, and each has its name. */
  instance: number
}

/** The store that answers a check: memory, the second cookie, Redis, or PostgreSQL. */
export type Answer = 'memo' | 'cookie' | 'redis' | 'database'

/** A check of a session, on an instance that no faster store can answer for. */
export async function openOurs(stores: Stores, answer: Answer): Promise<Contender> {
  const { database, secret } = stores
  const headers = await signInMany(stores)
  if (answer === 'database') {
    const sessions = createSessions({ database, secret })
    const { check } = createCheck(sessions, answer)
    return { run: (i) => check(headers[i % SESSIONS] ?? '') }
  }
  const bus = createBus({
    redis: stores.redis,
    name: 'platform',
    instance: `${answer}-${stores.instance}`,
  })
  const options = answer === 'redis' ? { cookieMs: 0, maxEntries: 100 } : { cookieMs: COOKIE_MS }
  const { redis } = stores
  const sessions = createSessions({ database, redis, secret, bus, ...options })
  await sessions.ready()
  if (answer !== 'cookie') for (const header of headers) await sessions.validate(header)
  const { check, reset } = createCheck(sessions, answer)
  let shown = 0
  let cookies: string[] = []
  return {
    async settle() {
      reset()
      if (answer === 'cookie') {
        cookies = signSecondCookies(headers, secret, bus.link.applied(), shown)
        shown += COOKIES
      }
      do await pause(5)
      while (bus.health().leaseMsLeft < LEASE_MS)
      await sessions.ready()
    },
    run(i) {
      if (answer !== 'cookie') return check(headers[i % SESSIONS] ?? '')
      const header = cookies.pop()
      if (header === undefined) throw new Error('A round has more checks than cookies: shorten it')
      return check(header)
    },
    async close() {
      await sessions.close()
      await bus.close()
    },
  }
}

/** The share of checks without a query to PostgreSQL, on an instance that starts without a cache. */
export async function queriesSaved(stores: Stores, checks: number): Promise<number> {
  const headers = await signInMany(stores, checks / 500)
  const instance = `saved-${stores.instance}`
  const bus = createBus({ redis: stores.redis, name: 'platform', instance })
  const { database, redis, secret } = stores
  const sessions = createSessions({ database, redis, secret, bus })
  await sessions.ready()
  for (let i = 0; i < checks; i += 64) {
    const batch = headers.length
    await Promise.all(
      Array.from({ length: 64 }, (_, j) => sessions.validate(headers[(i + j) % batch] ?? '')),
    )
  }
  const { authentication } = await sessions.observability({ scope: 'instance' })
  const { databaseQueries, total } = authentication.validations
  await sessions.close()
  await bus.close()
  return 1 - databaseQueries / total
}

/** At most 2 % of the checks may be answered by another store, as when a lease ends under load. */
function createCheck(sessions: Sessions, tier: Answer) {
  let checks = 0
  let others = 0
  const reset = () => {
    checks = 0
    others = 0
  }
  async function check(header: string) {
    const found = await sessions.validate(header)
    if (found.outcome !== 'valid') throw new Error(`A check of ${tier} is ${found.outcome}`)
    checks += 1
    if (found.tier === tier) return
    others += 1
    if (others <= 100 + checks / 50) return
    throw Object.assign(new Error(`${found.tier} answers for ${tier}`), { code: 'overload' })
  }
  return { check, reset }
}

/** A second cookie for each check, as an instance receives it that never saw the browser. */
function signSecondCookies(headers: string[], secret: string, n: number, from: number): string[] {
  const claims = createClaims([secret])
  return Array.from({ length: COOKIES }, (_, i) => {
    const header = headers[i % SESSIONS] ?? ''
    const sessionCookie = findSessionCookie(header, {}) ?? ''
    const signed = checkSessionValue(sessionCookie, { secret })
    if (signed.outcome === 'none') throw new Error('A session cookie is not signed')
    const at = new Date(Date.now() + 86_400_000)
    const session = { id: signed.token, createdAt: at, expiresAt: at }
    const user = { id: 'bench', name: 'Ada Lovelace', email: 'ada@threefold.test', role: 'user' }
    const live: Live = { state: 'live', session, user, until: at }
    const untilMs = Date.now() + COOKIE_MS + from + i
    const key = hash('sha256', signed.token)
    const value = claims.sign({ key, n, untilMs, live }, sessionCookie)
    return `${header}; threefold.sc=${value}`
  })
}

/** Many sessions of one user; the `Cookie` headers of browsers that have them. */
async function signInMany({ database, secret }: Stores, count = SESSIONS): Promise<string[]> {
  const tokens = Array.from({ length: count }, () => randomUUID().replaceAll('-', ''))
  const { pool } = database
  await pool.query(
    `insert into "user" (id, name, email, role)
     values ('bench', 'Ada Lovelace', 'ada@threefold.test', 'user') on conflict do nothing`,
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
