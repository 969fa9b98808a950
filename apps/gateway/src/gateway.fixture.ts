import { createHmac, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type RequestOptions,
} from 'node:http'
import { text } from 'node:stream/consumers'
import { endpoints } from '@repo/api/endpoints'
import { createMemoryBus } from '@repo/cache-broadcast/memory'
import { connectDatabase, type DatabaseConnection, migrateDatabase, schema } from '@repo/database'
import { createOnce } from '@repo/idempotency'
import { memoryStore } from '@repo/idempotency/memory'
import { createLog } from '@repo/observability'
import { createOutbox } from '@repo/outbox'
import { createUpstream } from '@repo/proxy'
import { createMemoryRateLimiter } from '@repo/ratelimit/memory'
import { createIdentities, createUserHash, type IdentityCheck, type Registry } from '@repo/service'
import { listenerOf } from '@repo/service/hono'
import { createSessions } from '@repo/session'
import { awakeMs } from '@repo/testing/awake-ms'
import { createApp } from './app.ts'
import { createCors } from './browsers/cors.ts'
import { createSecurityHeaders } from './browsers/security-headers.ts'
import { createForgeryCheck } from './forgery.ts'
import { createGateway } from './gateway.ts'
import type { WhoIs } from './geo/who-is.ts'
import { createIdempotencyStage } from './idempotency/idempotency.ts'
import { createKeys } from './keys/keys.ts'
import type { Limits } from './limits/limits.ts'
import { createPublishedLimits } from './limits/published-limits.ts'
import { createProfiles } from './people/profiles.ts'
import { createRoutes } from './routing/routes.ts'
import { listen, type Seen } from './servers.fixture.ts'
import { createFeatureSettings } from './settings/feature-settings.ts'
import { createIpOf, parseRange } from './upstreams/client-ip.ts'
import { createForwarders } from './upstreams/forward.ts'
import { services } from './upstreams/services.ts'

export const ORIGIN = 'http://localhost:8080'
export const TRUSTED_ORIGIN = 'https://admin.example'
/** Its pages can call the API without cookies. */
export const PAGE_ORIGIN = 'https://pages.example'
export const SECRET = 'k7Jx2mQ9vR4tY8wZ1aB5cD3eF6gH0iL-'
export const identities = createIdentities({ secret: SECRET, upstream: 'payments' })

export interface Answer {
  status: number
  headers: IncomingMessage['headers']
  body: Record<string, unknown>
  ms: number
}

/**
 * Sends one request with an unchanged path on a separate connection, with the headers of a page of
 * this site.
 */
export async function ask(
  origin: string,
  path: string,
  { headers, ...options }: Ask = {},
): Promise<Answer> {
  const defaults = { origin: ORIGIN, 'content-type': 'application/json' }
  return send(origin, path, { ...options, headers: { ...defaults, ...headers } })
}

interface Ask extends Omit<RequestOptions, 'headers'> {
  headers?: OutgoingHttpHeaders
  body?: string
}

/** Sends one request with these headers and no others. */
export async function send(
  origin: string,
  path: string,
  { body, ...options }: Ask = {},
): Promise<Answer> {
  const began = awakeMs()
  const { hostname, port } = new URL(origin)
  const req = request({ hostname, port, path, agent: false, ...options })
  req.end(body)
  const [res]: IncomingMessage[] = await once(req, 'response')
  if (!res) throw new Error('no response')
  const read = await text(res)
  return {
    status: res.statusCode ?? 0,
    headers: res.headers,
    body: read === '' ? {} : JSON.parse(read),
    ms: awakeMs() - began,
  }
}

export interface TestGateway extends AsyncDisposable {
  origin: string
  database: DatabaseConnection
  /** The routes that the gateway serves itself, as Hono lists them. */
  ownRoutes: { method: string; path: string }[]
}

export interface GatewayOptions {
  databaseUrl: string
  auth: string[]
  payments: string[]
  trustedHops?: number
  /** The origin that decides about Strict-Transport-Security. */
  siteOrigin?: string
  trustedProxies?: string[]
  instances?: Registry['instances']
  limits?: Limits
  whoIs?: Pick<WhoIs, 'countryOf'>
}

/** Verifies the identity of a request as payments does. */
export function checkIdentity(seen: Seen, changes: Partial<Seen> = {}): IdentityCheck {
  const { method, url, headers } = { ...seen, ...changes }
  return identities.verify({ method, target: url, header: (name) => headers[name]?.toString() })
}

/** A gateway in this process, over a real database, in front of these upstreams. */
export async function serveGateway(options: GatewayOptions): Promise<TestGateway> {
  const { databaseUrl, trustedHops: hops = 1, instances = async () => [] } = options
  const ranges = options.trustedProxies?.flatMap((each) => parseRange(each) ?? [])
  const { limits: initial = { policies: [], routes: [] } } = options
  const log = createLog({ app: 'gateway', instance: 'gateway-2', version: '', level: 'silent' })
  const database = connectDatabase({ url: databaseUrl, name: 'gateway-2', poolSize: 3 })
  const bus = createMemoryBus({ name: 'platform' })
  const metrics = { observe: () => () => undefined }
  const sessions = createSessions({ database, bus, secret: SECRET })
  await sessions.ready()
  const keys = createKeys({ bus, database, sessions, log })
  const outbox = createOutbox({ bus, db: database.db, log })
  const settings = createFeatureSettings({ bus, outbox, database, log, metrics })
  const findProfile = createProfiles({ bus, database, metrics })
  const limiter = createMemoryRateLimiter({ policies: initial.policies, ipv6Prefix: 64 })
  const routes = createRoutes(services, endpoints)
  const limits = await createPublishedLimits({
    limiter,
    bus,
    outbox,
    database,
    log,
    initial,
    routes: routes.all,
  })
  const keyed = createOnce({ store: memoryStore() })
  const signing = (upstream: string) => createIdentities({ secret: SECRET, upstream })
  const auth = createUpstream({ name: 'auth', targets: options.auth })
  const payments = createUpstream({ name: 'payments', targets: options.payments })
  const connections = new Map([
    ['auth', { upstream: auth, identities: signing('auth'), cookies: true, country: false }],
    ['payments', { upstream: payments, identities, cookies: false, country: true }],
  ])
  const site = { origin: ORIGIN, cookieName: 'better-auth.session_token', version: '1.2.3' }
  const appDeps = { sessions, keys, settings, findProfile, instances, limiter, limits, site, log }
  const app = createApp(appDeps)
  const securityHeaders = createSecurityHeaders(options.siteOrigin ?? ORIGIN)
  const gateway = createGateway({
    routes,
    app: listenerOf(app),
    forwarderOf: createForwarders(connections, { instance: 'gateway-2', securityHeaders, log }).of,
    securityHeaders,
    cors: createCors({
      origins: [PAGE_ORIGIN, TRUSTED_ORIGIN],
      trustedOrigins: [TRUSTED_ORIGIN],
    }),
    isCrossSite: createForgeryCheck({ origin: ORIGIN, trustedOrigins: [TRUSTED_ORIGIN] }),
    ipOf: createIpOf({ hops, ranges }),
    whoIs: options.whoIs,
    sessions,
    keys,
    settings,
    limits,
    idempotency: createIdempotencyStage({ once: keyed, log }),
    hashUser: createUserHash(SECRET),
    log,
  })
  const server = await listen(createServer((req, res) => void gateway(req, res)))
  return {
    origin: server.origin,
    database,
    ownRoutes: app.routes.flatMap(({ method, path }) =>
      method === 'ALL' ? [] : [{ method, path }],
    ),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await keys.close()
      await keyed.close()
      await Promise.all([auth.close(), payments.close(), sessions.close(), limiter.close()])
      await outbox.close()
      await bus.close()
      await database.close()
    },
  }
}

export interface SignedIn {
  cookie: string
  identity: { userId: string; email: string; role: string; sessionId: string }
}

/** A user with a session, in a migrated database. */
export async function signedIn(databaseUrl: string, role = 'user'): Promise<SignedIn> {
  await migrateDatabase({ url: databaseUrl })
  const database = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 1 })
  const userId = randomUUID()
  const email = `${userId}@threefold.test`
  await database.db.insert(schema.user).values({ id: userId, name: 'Ada', email, role })
  const { cookie, sessionId } = await addSession(database, userId)
  await database.close()
  return { cookie, identity: { userId, email, role, sessionId } }
}

/** Adds a session of a user, or one in which an administrator acts for the user. */
export async function addSession(
  { db }: DatabaseConnection,
  userId: string,
  actor: { impersonatedBy?: string; sourceSessionId?: string } = {},
) {
  const [sessionId, token] = [randomUUID(), randomUUID()]
  const expiresAt = new Date(Date.now() + 3_600_000)
  await db.insert(schema.session).values({ id: sessionId, token, userId, expiresAt, ...actor })
  const signature = createHmac('sha256', SECRET).update(token).digest('base64')
  const cookie = `better-auth.session_token=${encodeURIComponent(`${token}.${signature}`)}`
  return { cookie, sessionId }
}

/** The settings of a gateway process in front of one upstream. */
export function environment({
  databaseUrl,
  redisUrl,
  upstream,
}: {
  databaseUrl: string
  redisUrl: string
  upstream: string
}): Record<string, string> {
  return {
    HOST: '127.0.0.1',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    ORIGIN,
    AUTH_SECRET: SECRET,
    INTERNAL_SECRET: SECRET,
    ...Object.fromEntries(services.map(({ setting }) => [setting, upstream])),
    DRAIN_MS: '0',
  }
}

/** The list of the registry with one instance. */
export const listInstances = async () => [
  {
    id: 'web-1',
    app: 'web',
    version: '1',
    url: 'http://localhost:4301',
    ready: true,
    startedAt: new Date().toISOString(),
    load: 0,
    fingerprint: {},
  },
]
