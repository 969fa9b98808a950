import { createHmac, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  request,
  type RequestListener,
  type RequestOptions,
  type ServerResponse,
} from 'node:http'
import { text } from 'node:stream/consumers'
import { createMemoryBus } from '@repo/cache-broadcast/memory'
import { connectDatabase, type DatabaseConnection, migrateDatabase, schema } from '@repo/database'
import { createUpstream } from '@repo/proxy'
import { createIdentities, createLog, type Registry } from '@repo/service'
import { listenerOf } from '@repo/service/hono'
import { createSessions } from '@repo/session'
import { createApp } from './app.ts'
import { createFeatureSettings } from './feature-settings.ts'
import { createForwarder } from './forward.ts'
import { createGateway } from './gateway.ts'
import { createProfiles } from './profiles.ts'

export const SECRET = 'k7Jx2mQ9vR4tY8wZ1aB5cD3eF6gH0iL-'
export const identities = createIdentities({ secret: SECRET })

export interface Answer {
  status: number
  headers: IncomingMessage['headers']
  body: Record<string, unknown>
  ms: number
}

/** One request with its path as written, on a connection of its own. */
export async function ask(
  origin: string,
  path: string,
  { body, ...options }: RequestOptions & { body?: string } = {},
): Promise<Answer> {
  const began = performance.now()
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
    ms: performance.now() - began,
  }
}

interface Seen {
  method: string
  url: string
  headers: IncomingMessage['headers']
  body: string
}

export interface Upstream extends AsyncDisposable {
  origin: string
  /** The requests that reached it. */
  seen: Seen[]
}

async function listen(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('not listening on TCP')
  return {
    origin: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function answer(req: IncomingMessage, res: ServerResponse, keep: (body: string) => void) {
  try {
    const body = await text(req)
    if (req.url !== '/readyz') keep(body)
    res.end('{"up":true}')
  } catch {
    // The gateway broke off.
    res.destroy()
  }
}

/** An instance that keeps what it is asked; it is ready, and everything is fine with it. */
export async function serveUpstream(id: string): Promise<Upstream> {
  const seen: Seen[] = []
  const server = await listen((req, res) => {
    const { method = '', url = '', headers } = req
    res.setHeader('content-type', 'application/json').setHeader('x-instance-id', id)
    void answer(req, res, (body) => seen.push({ method, url, headers, body }))
  })
  return { ...server, seen }
}

export interface TestGateway extends AsyncDisposable {
  origin: string
  database: DatabaseConnection
}

export interface GatewayOptions {
  databaseUrl: string
  auth: string[]
  payments: string[]
  trustedHops?: number
  instances?: Registry['instances']
}

/** A gateway in this process, over a real database, in front of these upstreams. */
export async function serveGateway(options: GatewayOptions): Promise<TestGateway> {
  const { databaseUrl, trustedHops = 1, instances = async () => [] } = options
  const log = createLog({ app: 'gateway', instance: 'gateway-2', version: '', level: 'silent' })
  const database = connectDatabase({ url: databaseUrl, name: 'gateway-2', poolSize: 3 })
  const bus = createMemoryBus()
  const metrics = { observe: () => undefined }
  const sessions = createSessions({ database, secret: SECRET })
  const settings = createFeatureSettings({ bus, database, log, metrics })
  const findProfile = createProfiles({ bus, database, metrics })
  const forwarder = { identities, instance: 'gateway-2', log, trustedHops }
  const auth = createUpstream({ name: 'auth', targets: options.auth })
  const payments = createUpstream({ name: 'payments', targets: options.payments })
  const gateway = createGateway({
    own: listenerOf(createApp({ sessions, settings, findProfile, instances, log })),
    auth: createForwarder({ ...forwarder, upstream: auth }),
    payments: createForwarder({ ...forwarder, upstream: payments }),
    sessions,
    settings,
  })
  const server = await listen((req, res) => void gateway(req, res))
  return {
    origin: server.origin,
    database,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await Promise.all([auth.close(), payments.close(), settings.close()])
      await bus.close()
      await database.close()
    },
  }
}

export interface SignedIn {
  cookie: string
  identity: { userId: string; email: string; role: string; sessionId: string }
}

/** A person with a session, in a database that is brought up to date first. */
export async function signedIn(databaseUrl: string, role = 'user'): Promise<SignedIn> {
  await migrateDatabase({ url: databaseUrl })
  const database = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 1 })
  const [userId, sessionId, token] = [randomUUID(), randomUUID(), randomUUID()]
  const email = `${userId}@threefold.test`
  const expiresAt = new Date(Date.now() + 3_600_000)
  await database.db.insert(schema.user).values({ id: userId, name: 'Ada', email, role })
  await database.db.insert(schema.session).values({ id: sessionId, token, userId, expiresAt })
  await database.close()
  const signature = createHmac('sha256', SECRET).update(token).digest('base64')
  const cookie = `better-auth.session_token=${encodeURIComponent(`${token}.${signature}`)}`
  return { cookie, identity: { userId, email, role, sessionId } }
}
