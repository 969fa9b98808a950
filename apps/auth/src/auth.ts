import type { Database } from '@repo/database'
import { schema } from '@repo/database'
import { type Log, reasonOf } from '@repo/observability'
import type { RateLimiter } from '@repo/ratelimit'
import { cookiePrefix, cookieSiteOf } from '@repo/session'
import { betterAuth, type GenericEndpointContext } from 'better-auth'
import { drizzleAdapter } from 'better-auth/adapters/drizzle'
import { createAuthMiddleware } from 'better-auth/api'
import { admin } from 'better-auth/plugins/admin'
import { relyOnCredentials } from './adapter/credentials.ts'
import { noticeOutages } from './adapter/outages.ts'
import { limitGuesses } from './passwords/guesses.ts'
import { createPasswords } from './passwords/hashing.ts'
import { createGuessLimit, createRateLimitStorage } from './passwords/limits.ts'
import { createImpersonation } from './sessions/impersonation.ts'

export interface AuthOptions {
  db: Database
  log: Log
  /** The public origin: issuer of cookies, and where forms may come from. */
  origin: string
  /** Where forms may come from too. */
  trustedOrigins?: readonly string[] | undefined
  secret: string
  /** Somebody signed in or up. */
  onLogin: () => void
  /** With `authPolicies`. */
  limiter: RateLimiter
}

/** People behind one address share it, to each path; the gateway has closer limits. */
const PER_ADDRESS = { window: 60, max: 3_000 }
/** Guesses of passwords are limited by account: see `limits.ts`. */
const SIGN_INS = { window: 60, max: 600 }
/** In characters; a header may have 16 KB. */
const MAX_USER_AGENT = 256
/** A column that no request sets and no response shows; see `credentials.ts`. */
const OWN = { type: 'string', required: false, input: false, returned: false } as const

/**
 * Users, passwords and sessions. PostgreSQL is the only truth: no secondary storage and no cookie
 * cache, because both let a revoked session live on; `packages/session` is what makes checks cheap.
 */
export function createAuth(options: AuthOptions) {
  const { db, log, origin, trustedOrigins = [], secret, onLogin, limiter } = options
  const impersonation = createImpersonation(db)
  const password = limitGuesses(createPasswords(), createGuessLimit(limiter))
  return betterAuth({
    baseURL: origin,
    basePath: '/api/auth',
    secret,
    trustedOrigins: [origin, ...trustedOrigins.map((each) => new URL(each).origin)],
    // A sign-up that fails half way leaves nothing behind, so it can be repeated.
    database: noticeOutages(
      relyOnCredentials(drizzleAdapter(db, { provider: 'pg', schema, transaction: true })),
    ),
    // To the app, which knows what is an outage; else it prints them with the query's parameters.
    onAPIError: { throw: true },
    emailAndPassword: { enabled: true, password },
    user: { additionalFields: { credentialVersion: OWN } },
    account: { additionalFields: { credentialVersions: OWN } },
    session: {
      cookieCache: { enabled: false },
      additionalFields: { credentialVersions: OWN, sourceSessionId: OWN },
    },
    databaseHooks: {
      session: {
        create: {
          before: async ({ userAgent }) => ({
            data: { userAgent: userAgent?.slice(0, MAX_USER_AGENT) },
          }),
          after: async () => onLogin(),
        },
        delete: { before: isDeletedByItself },
      },
      account: { delete: { before: isDeletedByItself } },
    },
    hooks: {
      // The database ends every session with the password; who changes it gets a new one this way.
      before: createAuthMiddleware(async (ctx) => {
        const { path, body } = ctx
        if (path === '/sign-out') await impersonation.endSource(ctx)
        if (path !== '/change-password') return undefined
        return { context: { body: { ...body, revokeOtherSessions: true } } }
      }),
      after: createAuthMiddleware(async (ctx) => {
        if (ctx.path === '/sign-out') impersonation.forgetSource(ctx)
      }),
    },
    plugins: [admin()],
    // By address and path; its own counters live in one process, where a limit of 3 admits 9.
    rateLimit: {
      enabled: true,
      ...PER_ADDRESS,
      customStorage: createRateLimitStorage(limiter),
      customRules: { '/sign-in/*': SIGN_INS, '/sign-up/*': SIGN_INS },
    },
    telemetry: { enabled: false },
    advanced: {
      cookiePrefix: cookiePrefix(cookieSiteOf(origin)),
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

/**
 * Better Auth deletes the sessions, the accounts and the user in three transactions. Where the database
 * refuses the last, the user would be left without a password. Its foreign keys delete all in one.
 */
async function isDeletedByItself(
  _row: unknown,
  context: GenericEndpointContext | null,
): Promise<boolean> {
  return context?.path !== '/admin/remove-user'
}

export type Auth = ReturnType<typeof createAuth>
