import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Reading } from './site.ts'

const COOKIE = 'session=1'

/** A reading in which every threshold holds. */
export function fineReading(): Reading {
  return {
    figures: {
      scope: 'cluster',
      authentication: {
        uptime: { milliseconds: 7_200_000, hours: 2, startTime: '2026-11-30T00:00:00.000Z' },
        logins: { total: 40, last24Hours: {}, lastLoginTimestamp: null, averagePerHour: 20 },
        validations: {
          total: 1_000,
          cacheHits: 980,
          cacheMisses: 20,
          cacheHitRate: 98,
          databaseQueries: 20,
          failures: 0,
          averageTimeMs: 2,
          averagePerHour: 500,
        },
        users: { activeCount: 30, deletedDetected: 0, bannedDetected: 0 },
        costs: {
          estimatedDatabaseCost: '0.0002',
          costWithoutCache: '0.0100',
          savings: '0.0098',
          savingsPercentage: '98.00',
          queriesPerHour: 10,
        },
        performance: {
          cacheEffectiveness: 'Excellent',
          recommendedCacheTTL: 'Current TTL is optimal',
          avgValidationTime: 'Excellent',
        },
      },
      validationCache: {
        size: 30,
        maxSize: 10_000,
        ttlMs: 300_000,
        backend: 'redis',
        tiers: { memo: 900, cookie: 40, redis: 40, database: 20 },
        revocations: { total: 3, pending: 0, averageMs: 4 },
      },
    },
    instances: [
      {
        instance: {
          id: 'auth-1',
          app: 'auth',
          version: 'dev',
          url: 'http://127.0.0.1:1',
          startedAt: '2026-11-30T00:00:00.000Z',
          ready: true,
          load: 0,
          fingerprint: 'a',
          drift: [],
        },
        health: { status: 'healthy', problems: [], drift: [] },
      },
    ],
  }
}

/** A server that plays a site; `override` replaces the response to a path. */
export async function startSite(
  override: (req: IncomingMessage, res: ServerResponse) => boolean = () => false,
) {
  const requests: string[] = []
  const { figures, instances } = fineReading()
  const server = createServer((req, res) => {
    requests.push(`${req.method} ${req.url}`)
    req.resume()
    if (override(req, res)) return
    const isSignedIn = req.headers.cookie === COOKIE
    if (req.url === '/api/auth/sign-in/email')
      res.setHeader('set-cookie', `${COOKIE}; Path=/`).end('{}')
    else if (req.url === '/api/auth/sign-out') res.end('{}')
    else if (!isSignedIn) res.writeHead(401).end()
    else if (req.url === '/api/observability') res.end(JSON.stringify(figures))
    else res.end(JSON.stringify({ instances: instances.map(({ instance }) => instance) }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    origin: `http://127.0.0.1:${address.port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
