export { type Limit, type Report } from './check.ts'
export { connectLimiterRedis, type LimiterRedis } from './connect.ts'
export { RateLimitError, type RateLimitErrorCode } from './errors.ts'
export { limiterFigures } from './figures.ts'
export { createGuard, type Guarded } from './guard.ts'
export { rateLimitHeaders } from './headers.ts'
export { type Dimensions } from './identify.ts'
export { canonicalIp, groupIp, type IpAddress, parseIp } from './ip.ts'
export {
  type Decision,
  type LimiterStats,
  type RateLimiter,
  type Subject,
  type TakeOptions,
} from './limiter-api.ts'
export { type ParsedPolicies, parsePolicies, type Policy, type PolicyInput } from './policy.ts'
export { problemBody, problemOf, type RateLimitProblem } from './problem.ts'
export { createRateLimiter, type RateLimiterOptions } from './rate-limiter.ts'
