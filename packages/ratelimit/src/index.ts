export { canonicalIp, type Dimensions, groupIp, type IpAddress, parseIp } from './dimensions.ts'
export { RateLimitError, type RateLimitErrorCode } from './errors.ts'
export { createGuard, type Guard, type Guarded, type GuardOptions } from './http/guard.ts'
export { rateLimitHeaders } from './http/headers.ts'
export { problemBody, problemOf, type RateLimitProblem } from './http/problem.ts'
export { limiterFigures, limiterRedisFigures } from './metrics.ts'
export { type ParsedPolicies, parsePolicies, type Policy, type PolicyInput } from './policy.ts'
export { createRateLimiter, type RateLimiterOptions } from './rate-limiter.ts'
export { connectLimiterRedis, type LimiterRedis } from './redis/connection.ts'
export { type Limit, type Report } from './store.ts'
export {
  type Decision,
  type LimiterBus,
  type LimiterStats,
  type RateLimiter,
  type Subject,
  type TakeOptions,
} from './types.ts'
