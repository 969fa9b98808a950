import { notify } from '../hooks.ts'
import { readOptions, requireUpstreamOptions } from '../options.ts'
import { leastLoaded, usableTargets } from './choose-target.ts'
import { type HealthCheck, watchHealth } from './health-check.ts'
import { createRetryBudget } from './retry-budget.ts'
import { Target, type TargetEvent, type TargetState } from './target.ts'

/** An event to log or count. `detail` is not for clients. */
export interface UpstreamEvent {
  event: TargetEvent
  upstream: string
  origin: string
  detail: string
}

export interface TargetSnapshot {
  origin: string
  state: TargetState
  inFlight: number
}

/** The part of a request that the choice of its instance depends on. */
export interface PickContext {
  /** The requests with the same key, such as a user, stay in one group of targets. */
  stickyKey?: string
  /** The group of targets, from a caller that may choose it. */
  group?: string
}

export interface Upstream {
  readonly name: string
  /**
   * Returns the instance for an attempt, not one of `tried`; undefined if none is left. The caller
   * reports each attempt to it: `started`, then `succeeded` or `failed` or none, then `ended`.
   */
  pick(context?: PickContext, tried?: readonly Target[]): Target | undefined
  /** Takes one retry from the budget: a tenth of the requests and ten for each second. */
  allowRetry(): boolean
  targets(): TargetSnapshot[]
  /** Ends the health checks and, after the requests in flight, the connections. */
  close(): Promise<void>
}

export interface UpstreamOptions {
  name: string
  /** Origins of the instances, such as `http://127.0.0.1:4101`. */
  targets: readonly string[]
  healthCheck?: HealthCheck
  /** Connections to each instance. Further requests wait. */
  connections?: number
  connectTimeoutMs?: number
  /**
   * The longest wait for the head of a response; 0: no limit. From 1,001 ms, undici counts only time
   * in which the event loop ran.
   */
  headersTimeoutMs?: number
  /** The longest silence within the body of a response. Event streams have no limit. */
  bodyTimeoutMs?: number
  /** `failures` in a row eject an instance for `durationMs`. `usableTargets` has the panic threshold. */
  ejection?: { failures?: number; durationMs?: number; panicThreshold?: number }
  onEvent?: (event: UpstreamEvent) => void
}

/**
 * Creates the upstream of one app. Each request goes to the healthy instance with the fewest requests
 * in flight; equal instances take turns.
 *
 * @throws ProxyError `bad-option`
 */
export function createUpstream(upstreamOptions: UpstreamOptions): Upstream {
  const options = readOptions(upstreamOptions)
  requireUpstreamOptions(options)
  const { name, targets: origins, healthCheck, connections = 64, onEvent } = options
  const { connectTimeoutMs = 1_000, headersTimeoutMs = 10_000, bodyTimeoutMs = 30_000 } = options
  const { failures = 3, durationMs = 5_000, panicThreshold = 0 } = options.ejection ?? {}
  const pool = {
    connections,
    connectTimeout: connectTimeoutMs,
    headersTimeout: headersTimeoutMs,
    bodyTimeout: bodyTimeoutMs,
    allowH2: false,
  }
  const targets = [...new Set(origins)].map(
    (address) =>
      new Target(address, {
        pool,
        failures,
        ejectionMs: durationMs,
        onEvent: (event, origin, detail) =>
          notify(() => onEvent?.({ event, upstream: name, origin, detail })),
      }),
  )
  const stops = healthCheck
    ? targets.map((target) => watchHealth(target, healthCheck, failures))
    : []
  const budget = createRetryBudget()
  let turn = 0

  return {
    name,
    pick(_context, tried = []) {
      if (tried.length === 0) budget.earn()
      const remaining =
        tried.length === 0 ? targets : targets.filter((each) => !tried.includes(each))
      turn += 1
      return leastLoaded(usableTargets(remaining, panicThreshold), turn)
    },
    allowRetry: () => budget.spend(),
    targets: () => targets.map(({ origin, state, inFlight }) => ({ origin, state, inFlight })),
    async close() {
      await Promise.all(stops.map((stop) => stop()))
      await Promise.all(targets.map((target) => target.pool.close()))
    },
  }
}
