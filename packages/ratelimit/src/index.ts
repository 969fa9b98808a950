export { type Limit, type Report } from './store.ts'
export { connectLimiterRedis, type LimiterRedis } from './redis/connection.ts'
export { RateLimitError, type RateLimitErrorCode } from './errors.ts'
export { limiterFigures } from './metrics.ts'
export { createGuard, type Guarded } from './http/guard.ts'
export { rateLimitHeaders } from './http/headers.ts'
export { type Dimensions } from './dimensions.ts'
export { canonicalIp, groupIp, type IpAddress, parseIp } from './dimensions.ts'
export {
  type Decision,
  type LimiterStats,
  type RateLimiter,
  type Subject,
  type TakeOptions,
} from './types.ts'
export { type ParsedPolicies, parsePolicies, type Policy, type PolicyInput } from './policy.ts'
export { problemBody, problemOf, type RateLimitProblem } from './http/problem.ts'
export { createRateLimiter, type RateLimiterOptions } from './rate-limiter.ts'
