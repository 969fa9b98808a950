export type { Forwarded } from './forwarded.ts'
export type { HealthCheck } from './upstream/health-check.ts'
export { ProxyError } from './options.ts'
export { answerProblem, type ProxyProblem, type ProxyProblemCode } from './problem.ts'
export { createProxy, type ProxyHandler, type ProxyOptions } from './proxy.ts'
export { getHeader, type RawHeaders, setHeader } from './raw-headers.ts'
export type { Target, TargetState } from './upstream/target.ts'
export {
  createUpstream,
  type PickContext,
  type TargetSnapshot,
  type Upstream,
  type UpstreamEvent,
  type UpstreamOptions,
} from './upstream/upstream.ts'
