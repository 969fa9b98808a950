import { createHmac, randomUUID } from 'node:crypto'
import { type DatabaseConnection, schema } from '@repo/database'
import type { RedisConnection } from '@repo/redis'
import type { Contender } from '@repo/testing/bench'
import { betterAuth, type BetterAuthOptions } from 'better-auth'
import { drizzleAdapter } from 'better-auth/adapters/drizzle'
import { RedisStore } from 'connect-redis'
import session from 'express-session'
import { sealData, unsealData } from 'iron-session'
import { createClient } from 'redis'

export interface PeerStores {
  database: DatabaseConnection
  redis: RedisConnection
  redisUrl: string
  secret: string
}

export const PEERS = [
  'Better Auth, PostgreSQL',
  'Better Auth, Redis',
  'Better Auth, cookie cache',
  'express-session, connect-redis',
  'iron-session',
]

/** A peer as its documentation sets it up. */
export async function openPeer(name: string, stores: PeerStores): Promise<Contender> {
  if (name === 'Better Auth, PostgreSQL') return openBetterAuth(stores, {})
  if (name === 'Better Auth, cookie cache') {
    return openBetterAuth(stores, { session: { cookieCache: { enabled: true, maxAge: 3_600 } } })
  }
  if (name === 'Better Auth, Redis') {
    return openBetterAuth(stores, { secondaryStorage: storageOf(stores) })
  }
  if (name === 'express-session, connect-redis') return openExpress(stores)
  const password = stores.secret
  const sealed = await sealData({ user: { id: 'bench', role: 'user' } }, { password })
  return { run: () => unsealData(sealed, { password }) }
}

function storageOf({ redis: { client } }: PeerStores) {
  return {
    get: (key: string) => client.get(key),
    async set(key: string, value: string, ttl?: number) {
      await (ttl ? client.set(key, value, 'EX', ttl) : client.set(key, value))
    },
    async delete(key: string) {
      await client.del(key)
    },
    getAndDelete: (key: string) => client.getdel(key),
    increment: (key: string) => client.incr(key),
  }
}

async function openBetterAuth(
  { database, secret }: PeerStores,
  options: BetterAuthOptions,
): Promise<Contender> {
  const auth = betterAuth({
    baseURL: 'http://localhost:8080',
    secret,
    database: drizzleAdapter(database.db, { provider: 'pg', schema }),
    emailAndPassword: { enabled: true },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    ...options,
  })
  const email = `${randomUUID()}@threefold.test`
  const body = { name: 'Ada Lovelace', email, password: 'three-of-everything' }
  const { headers } = await auth.api.signUpEmail({ body, returnHeaders: true })
  const cookie = headers.getSetCookie().map((line) => line.split(';', 1)[0])
  const request = new Headers({ cookie: cookie.join('; ') })
  return {
    async run() {
      if (!(await auth.api.getSession({ headers: request }))) throw new Error('signed out')
    },
  }
}

/** The middleware on a request that has its cookie; nothing is changed, so nothing is written. */
async function openExpress({ redisUrl, secret }: PeerStores): Promise<Contender> {
  const client = createClient({ url: redisUrl })
  await client.connect()
  const store = new RedisStore({ client, disableTouch: true })
  const middleware = session({ store, secret, resave: false, saveUninitialized: false })
  const id = randomUUID()
  const data = { cookie: { originalMaxAge: null }, user: { id: 'bench', role: 'user' } }
  await client.set(`sess:${id}`, JSON.stringify(data))
  const mac = createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '')
  const cookie = `connect.sid=${encodeURIComponent(`s:${id}.${mac}`)}`
  const ask = () =>
    new Promise<void>((resolve, reject) => {
      const req = {
        headers: { cookie },
        url: '/',
        originalUrl: '/',
        socket: {},
        session: undefined,
      }
      const res = { on: () => undefined, end: () => undefined, writeHead: () => undefined }
      Reflect.apply(middleware, undefined, [
        req,
        res,
        (error: unknown) => {
          if (error === undefined && Reflect.get(req.session ?? {}, 'user')) resolve()
          else reject(new Error('signed out', { cause: error }))
        },
      ])
    })
  return { run: ask, close: () => client.close() }
}
