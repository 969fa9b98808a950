import { notify } from '../hooks.ts'
import { readOptions, requireUpstreamOptions } from '../options.ts'
import { leastLoaded, usableTargets } from './choose-target.ts'
import { type HealthCheck, watchHealth } from './health-check.ts'
import { createRetryBudget } from './retry-budget.ts'
import { Target, type TargetEvent, type TargetState } from './target.ts'

/** Something to log or count. `detail` is for people, not for clients. */
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

export interface Upstream {
  readonly name: string
  /** The instance that gets the next request, none of `tried`; undefined when none is left. */
  pick(tried?: readonly Target[]): Target | undefined
  /** Takes one retry from the budget: a fifth of the requests, and ten a second. */
  allowRetry(): boolean
  targets(): TargetSnapshot[]
  /** Ends the health checks and, once the requests in flight are done, the connections. */
  close(): Promise<void>
}

export interface UpstreamOptions {
  name: string
  /** Origins of the instances, such as `http://127.0.0.1:4101`. */
  targets: readonly string[]
  healthCheck?: HealthCheck
  /** Connections per instance; more requests than that wait. */
  connections?: number
  connectTimeoutMs?: number
  /**
   * Longest wait for the head of an answer; 0 is for ever. From 1,001 ms, undici counts only time in
   * which the event loop ran.
   */
  headersTimeoutMs?: number
  /** Longest silence within an answer's body; event streams may be silent for ever. */
  bodyTimeoutMs?: number
  /** `failures` in a row put an instance out for `durationMs`; see `usableTargets` for the panic. */
  ejection?: { failures?: number; durationMs?: number; panicThreshold?: number }
  onEvent?: (event: UpstreamEvent) => void
}

/**
 * The instances of one app: each request goes to the healthy one with the fewest in flight, in turn
 * where they are equal.
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
  const targets = origins.map(
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
    pick(tried = []) {
      if (tried.length === 0) budget.earn()
      const left = tried.length === 0 ? targets : targets.filter((each) => !tried.includes(each))
      turn += 1
      return leastLoaded(usableTargets(left, panicThreshold), turn)
    },
    allowRetry: () => budget.spend(),
    targets: () => targets.map(({ origin, state, inFlight }) => ({ origin, state, inFlight })),
    async close() {
      await Promise.all(stops.map((stop) => stop()))
      await Promise.all(targets.map((target) => target.pool.close()))
    },
  }
}
