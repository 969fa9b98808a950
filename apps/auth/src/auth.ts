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
import { recordOutages } from './adapter/outages.ts'
import { limitGuesses } from './passwords/guesses.ts'
import { createPasswords } from './passwords/hashing.ts'
import { createGuessLimit, createRateLimitStorage } from './passwords/limits.ts'
import { createImpersonation } from './sessions/impersonation.ts'

export interface AuthOptions {
  db: Database
  log: Log
  /** The public origin, which issues cookies and from which forms are accepted. */
  origin: string
  /** Other origins from which forms are accepted. */
  trustedOrigins?: readonly string[] | undefined
  secret: string
  /** Called after each sign-in and sign-up. */
  onLogin: () => void
  /** With `authPolicies`. */
  limiter: RateLimiter
}

/**
 * For each address and path; users behind one address share it. The gateway has stricter limits.
 */
const PER_ADDRESS = { window: 60, max: 3_000 }
/** Wrong passwords are limited by account: see `passwords/limits.ts`. */
const SIGN_INS = { window: 60, max: 600 }
/** In characters; a header may have 16 KB. */
const MAX_USER_AGENT = 256
/** A column that no request sets and no response shows: see `adapter/credentials.ts`. */
const INTERNAL = { type: 'string', required: false, input: false, returned: false } as const

/**
 * Users, passwords and sessions. PostgreSQL is the only truth: there is no secondary storage and no
 * cookie cache, because both let a revoked session continue. `packages/session` makes checks cheap.
 */
export function createAuth(options: AuthOptions) {
  const { db, log, origin, trustedOrigins = [], secret, onLogin, limiter } = options
  const impersonation = createImpersonation(db)
  const password = limitGuesses(createPasswords(), createGuessLimit(limiter))
  return betterAuth({
    baseURL: origin,
    basePath: '/api/auth',
    secret,
    trustedOrigins: [origin, ...trustedOrigins.map((trusted) => new URL(trusted).origin)],
    // A sign-up that fails halfway stores nothing, so it can be repeated.
    database: recordOutages(
      relyOnCredentials(drizzleAdapter(db, { provider: 'pg', schema, transaction: true })),
    ),
    // The app detects outages. Better Auth would print the error with the query's parameters.
    onAPIError: { throw: true },
    emailAndPassword: { enabled: true, password },
    user: { additionalFields: { credentialVersion: INTERNAL } },
    account: { additionalFields: { credentialVersions: INTERNAL } },
    session: {
      cookieCache: { enabled: false },
      additionalFields: { credentialVersions: INTERNAL, sourceSessionId: INTERNAL },
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
      // The database ends every session with the password, and Better Auth then creates a new one.
      before: createAuthMiddleware(async (ctx) => {
        const { path, body } = ctx
        if (path === '/sign-out') await impersonation.endSource(ctx)
        if (path !== '/change-password') return undefined
        return { context: { body: { ...body, revokeOtherSessions: true } } }
      }),
      after: createAuthMiddleware(async (ctx) => {
        if (ctx.path === '/sign-out') impersonation.expireSourceCookie(ctx)
      }),
    },
    plugins: [admin()],
    // By address and path. The counters of Better Auth are in one process, where a limit of 3
    // admits 9.
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
 * Better Auth deletes the sessions, the accounts and the user in three transactions. Where the
 * database refuses the last, the user would be left without a password. Its foreign keys delete all
 * in one.
 */
async function isDeletedByItself(
  _row: unknown,
  context: GenericEndpointContext | null,
): Promise<boolean> {
  return context?.path !== '/admin/remove-user'
}

export type Auth = ReturnType<typeof createAuth>
