export { createDnsSource, type DnsSourceOptions } from './discovery/dns-source.ts'
export { createListSource } from './discovery/list-source.ts'
export type { Forwarded } from './forwarded.ts'
export type {
  CollectedResponse,
  Hold,
  HoldDecision,
  RequestClaim,
  WholeResponse,
} from './held/hold.ts'
export type { HealthCheck } from './upstream/health-check.ts'
export { loadShedderFigures, upstreamFigures } from './figures.ts'
export type { AttemptTrace, TraceAttempt } from './attempt/attempt-trace.ts'
export { BodyGuard, type BodyLimits } from './body/body-guard.ts'
export { ProxyError } from './options.ts'
export { type BacklogShedderOptions, createBacklogShedder } from './overload/backlog-shedder.ts'
export {
  createLoadShedder,
  type LoadShedder,
  type LoadShedderOptions,
} from './overload/load-shedder.ts'
export { answerProblem, type ProxyProblem, type ProxyProblemCode } from './problem.ts'
export { createProxy, type ProxyHandler } from './proxy.ts'
export { getHeader, type RawHeaders, setHeader } from './raw-headers.ts'
export type { ProxyOptions } from './settings.ts'
export { isWebSocketUpgrade, respondToUpgrade } from './websocket/handshake.ts'
export {
  createWebSocketProxy,
  type WebSocketOptions,
  type WebSocketProxy,
} from './websocket/websocket-proxy.ts'
export type { BreakerOptions, Refusal } from './upstream/admission.ts'
export type { HedgingOptions } from './upstream/hedge-delay.ts'
export type { Outcome, TargetCounts } from './upstream/target-counts.ts'
export type { EjectionLimits, Target, TargetState, Waiter } from './upstream/target.ts'
export {
  createUpstream,
  type GroupOptions,
  type PickContext,
  type Targets,
  type TargetSnapshot,
  type TargetSource,
  type Upstream,
  type UpstreamEvent,
  type UpstreamOptions,
  type UpstreamStats,
} from './upstream/upstream.ts'
export { findPathFault, type PathRule, pathRules } from './routing/canonical-path.ts'
export { createRouteTable, type RouteEntry, type RouteTable } from './routing/route-table.ts'
