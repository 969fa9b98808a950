import * as z from 'zod/mini'

/** `GET /api/observability`: figures of session checks, of all instances or of one. */
export const observability = z.object({
  /** `instance` also when Redis is unavailable. */
  scope: z.enum(['cluster', 'instance']),
  authentication: z.object({
    uptime: z.object({ milliseconds: z.number(), hours: z.number(), startTime: z.string() }),
    logins: z.object({
      total: z.number(),
      last24Hours: z.record(z.string(), z.number()),
      lastLoginTimestamp: z.nullable(z.string()),
      averagePerHour: z.number(),
    }),
    validations: z.object({
      total: z.number(),
      cacheHits: z.number(),
      cacheMisses: z.number(),
      cacheHitRate: z.number(),
      databaseQueries: z.number(),
      failures: z.number(),
      averageTimeMs: z.number(),
      averagePerHour: z.number(),
    }),
    users: z.object({
      activeCount: z.number(),
      deletedDetected: z.number(),
      bannedDetected: z.number(),
    }),
    costs: z.object({
      estimatedDatabaseCost: z.string(),
      costWithoutCache: z.string(),
      savings: z.string(),
      savingsPercentage: z.string(),
      queriesPerHour: z.number(),
    }),
    performance: z.object({
      cacheEffectiveness: z.string(),
      recommendedCacheTTL: z.string(),
      avgValidationTime: z.string(),
    }),
  }),
  validationCache: z.object({
    size: z.number(),
    maxSize: z.number(),
    ttlMs: z.number(),
    backend: z.enum(['redis', 'in-memory']),
    tiers: z.object({
      memo: z.number(),
      cookie: z.number(),
      redis: z.number(),
      database: z.number(),
    }),
    revocations: z.object({ total: z.number(), pending: z.number(), averageMs: z.number() }),
  }),
})
