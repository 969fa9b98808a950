import { randomUUID } from 'node:crypto'
import { type DatabaseConnection, openDatabase } from '@repo/database'
import { postgresStore } from '@repo/idempotency/postgres'
import { createLog } from '@repo/observability'
import { createMemoryRateLimiter } from '@repo/ratelimit/memory'
import { claimOf, createIdentities, type Identity, NO_BODY } from '@repo/service'
import { awakeMs } from '@repo/testing/awake-ms'
import { createApp } from './app.ts'
import { paymentPolicies } from './limits.ts'
import { createPaymentsOnce } from './once.ts'
import { createPayments } from './payments.ts'
import { createDeliveries, type Deliveries, type DeliveryOptions } from './webhooks/deliveries.ts'
import type { Receiver } from './webhooks/send-webhook.ts'

export const SECRET = 'k7Jx2mQ9vR4tY8wZ1aB5cD3eF6gH0iL-'
const ORIGIN = 'http://payments'
const identities = createIdentities({ secret: SECRET, upstream: 'payments' })

export const order = { amount: 1_250, currency: 'EUR', reference: 'Invoice 7' }

interface Answer {
  status: number
  headers: Headers
  text: string
  body: Record<string, unknown>
  ms: number
}

export interface Ask {
  method?: string
  body?: unknown
  headers?: Record<string, string>
}

export function payer(): Identity {
  const userId = randomUUID()
  return { userId, email: `${userId}@threefold.test`, role: 'user', sessionId: randomUUID() }
}

/** The headers that the gateway sends with this request, from a release that sends both versions. */
export function identityFor(
  caller: Identity,
  method: string,
  url: string,
  body?: string,
  signing = identities,
): Record<string, string> {
  const { pathname, search } = new URL(url, ORIGIN)
  const request = {
    method,
    target: pathname + search,
    requestId: randomUUID(),
    clientIp: '192.0.2.1',
  }
  const raw = ['x-request-id', request.requestId, 'x-client-ip', request.clientIp]
  const claim = body === undefined ? NO_BODY : claimOf(Buffer.from(body))
  signing.sign(raw, caller, request, claim)
  const headers: Record<string, string> = {}
  for (let at = 0; at + 1 < raw.length; at += 2) headers[raw[at] ?? ''] = raw[at + 1] ?? ''
  return headers
}

export interface TestApp extends AsyncDisposable {
  /** The routes as Hono lists them. */
  routes: { method: string; path: string }[]
  database: DatabaseConnection
  deliveries: Deliveries
  /** Sends a request with the identity of the caller, as the gateway does, or without one. */
  ask(caller: Identity | undefined, path: string, ask?: Ask): Promise<Answer>
  countOf(caller: Identity): Promise<number>
}

/** The app in this process, over a real database. */
export async function openApp(
  databaseUrl: string,
  receiver?: Receiver,
  pace: Partial<DeliveryOptions> = {},
): Promise<TestApp> {
  const log = createLog({ app: 'payments', instance: 'payments-1', version: '', level: 'silent' })
  const env = {
    DATABASE_URL: databaseUrl,
    DATABASE_CONNECTIONS: 4,
    DATABASE_INSTANCES: 1,
    MIGRATE_ON_BOOT: true,
  }
  const database = await openDatabase({ env, name: 'payments-1', log })
  const limiter = createMemoryRateLimiter({ policies: paymentPolicies })
  const fast = { everyMs: 100, deadlineMs: 300, leaseMs: 1_000, pauseMs: 50, ...pace }
  const deliveries = createDeliveries({ db: database.db, receiver, log, ...fast })
  const payments = createPayments({ db: database.db, deliveries })
  const once = createPaymentsOnce({ store: postgresStore({ db: database.db, claim: 'lock' }) })
  const app = createApp({ payments, once, identities, limiter, log })
  return {
    database,
    deliveries,
    routes: app.routes.flatMap(({ method, path }) => (method === 'ALL' ? [] : [{ method, path }])),
    async ask(caller, path, { body, headers, method = body === undefined ? 'GET' : 'POST' } = {}) {
      const began = awakeMs()
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
      const response = await app.request(ORIGIN + path, {
        method,
        headers: {
          'content-type': 'application/json',
          ...(caller && identityFor(caller, method, path, text)),
          ...headers,
        },
        ...(text !== undefined && { body: text }),
      })
      const answer = await response.text()
      return {
        status: response.status,
        headers: response.headers,
        text: answer,
        body: answer === '' ? {} : JSON.parse(answer),
        ms: awakeMs() - began,
      }
    },
    async countOf({ userId }) {
      const text = 'select count(*)::int as n from payment where payer_id = $1'
      const { rows } = await database.pool.query<{ n: number }>(text, [userId])
      return rows[0]?.n ?? -1
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([limiter.close(), deliveries.close(), once.close()])
      await database.close()
    },
  }
}
