import type { Database } from '@repo/database'
import { schema } from '@repo/database'
import { type Log, reasonOf } from '@repo/service'
import { betterAuth } from 'better-auth'
import { drizzleAdapter } from 'better-auth/adapters/drizzle'
import { admin } from 'better-auth/plugins/admin'
import { noticeOutages } from './outage.ts'

export interface AuthOptions {
  db: Database
  log: Log
  /** The public origin: issuer of cookies and the only origin that forms may come from. */
  origin: string
  secret: string
}

/**
 * Users, passwords and sessions. PostgreSQL is the only truth: no secondary storage and no cookie
 * cache, because both let a revoked session live on; `packages/session` is what makes checks cheap.
 */
export function createAuth({ db, log, origin, secret }: AuthOptions) {
  return betterAuth({
    baseURL: origin,
    basePath: '/api/auth',
    secret,
    trustedOrigins: [origin],
    // A sign-up that fails half way leaves nothing behind, so it can be repeated.
    database: noticeOutages(drizzleAdapter(db, { provider: 'pg', schema, transaction: true })),
    // To the app, which knows what is an outage; else it prints them with the query's parameters.
    onAPIError: { throw: true },
    emailAndPassword: { enabled: true },
    session: { cookieCache: { enabled: false } },
    plugins: [admin()],
    // Its counters live in one process: with three instances a limit of 3 admits 9.
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    advanced: {
      ipAddress: { ipAddressHeaders: ['x-client-ip'] },
      // By default NODE_ENV=test switches both off.
      disableOriginCheck: false,
      disableCSRFCheck: false,
    },
    logger: {
      log(level, message, ...details: unknown[]) {
        log[level]({ event: 'better-auth', details: details.map(reasonOf) }, message)
      },
    },
  })
}

export type Auth = ReturnType<typeof createAuth>
