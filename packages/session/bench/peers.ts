import { createHmac, randomUUID } from 'node:crypto'
import { type DatabaseConnection, schema } from '@repo/database'
import type { RedisConnection } from '@repo/redis'
import { inFlight, type Subject } from '@repo/testing/measure'
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

/** What else there is, each as its documentation sets it up. */
export async function openPeers(
  stores: PeerStores,
): Promise<{ subjects: Subject[]; close: () => Promise<void> }> {
  const { client } = stores.redis
  const secondaryStorage = {
    get: (key: string) => client.get(key),
    async set(key: string, value: string, ttl?: number) {
      await (ttl ? client.set(key, value, 'EX', ttl) : client.set(key, value))
    },
    async delete(key: string) {
      await client.del(key)
    },
  }
  const express = await openExpress(stores)
  const sealed = await sealData(
    { user: { id: 'bench', role: 'user' } },
    { password: stores.secret },
  )
  return {
    subjects: [
      await openBetterAuth(stores, 'Better Auth, PostgreSQL', {}),
      await openBetterAuth(stores, 'Better Auth, Redis', { secondaryStorage }),
      await openBetterAuth(stores, 'Better Auth, cookie cache', {
        session: { cookieCache: { enabled: true, maxAge: 3_600 } },
      }),
      express.subject,
      {
        name: 'iron-session unseal',
        n: 1_000,
        run: (n) => inFlight(n, 64, () => unsealData(sealed, { password: stores.secret })),
      },
    ],
    close: express.close,
  }
}

async function openBetterAuth(
  { database, secret }: PeerStores,
  name: string,
  options: BetterAuthOptions,
): Promise<Subject> {
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
    name,
    n: 1_000,
    run: (n) =>
      inFlight(n, 20, async () => {
        if (!(await auth.api.getSession({ headers: request }))) throw new Error('signed out')
      }),
  }
}

/** The middleware on a request that has its cookie; nothing is changed, so nothing is written. */
async function openExpress({ redisUrl, secret }: PeerStores) {
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
  const subject: Subject = {
    name: 'express-session, connect-redis',
    n: 5_000,
    run: (n) => inFlight(n, 64, ask),
  }
  return { subject, close: async () => client.close() }
}
