import { createTimeouts } from '../client/pool.ts'
import { notify } from '../hooks.ts'
import { readOptions } from '../options.ts'
import { Waiting } from '../slots/waiting.ts'
import { type BreakerOptions, createAdmission, type Refusal } from './admission.ts'
import { groupAt, hashOf } from './groups.ts'
import { createHealthChecks, type HealthCheck } from './health-check.ts'
import { createHedgeDelay, type HedgingOptions } from './hedge-delay.ts'
import { requireUpstreamOptions } from './options.ts'
import { createRetryBudget } from './retry-budget.ts'
import { CountsByTarget, type TargetCounts } from './target-counts.ts'
import { TargetGroup, type TargetGroupOptions } from './target-group.ts'
import type { EjectionLimits, Target, TargetEvent, TargetState } from './target.ts'

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
  /** Shared with other targets if their label is the same. */
  counts: Readonly<TargetCounts>
}

/** Totals of an upstream since its creation, and its queue now. */
export interface UpstreamStats {
  /** Further attempts that the budget of retries allowed. */
  retries: number
  refusedRetries: number
  /** Requests that wait for a slot. */
  waiting: number
}

/** The part of a request that the choice of its instance depends on. */
export interface PickContext {
  /** The requests with the same key, such as a user, stay in one group of targets. */
  stickyKey?: string
  /** The group of targets, from a caller that may choose it. An unknown one is ignored. */
  group?: string
}

export interface Upstream {
  readonly name: string
  /** Returns the reason why no request is accepted now: the bulkhead is full or the breaker is open. */
  admit(): Refusal | undefined
  /**
   * Returns the instance for an attempt, not one of `tried`; undefined if none is left. The caller
   * reports each attempt to it: `started`, then `succeeded` or `failed` or none, then `ended`.
   */
  pick(context?: PickContext, tried?: readonly Target[]): Target | undefined
  /** Takes one retry from the budget: a tenth of the requests and ten for each second. */
  allowRetry(): boolean
  /** Returns the time after which a GET is sent to a second instance too; undefined without hedging. */
  hedgeAfterMs(): number | undefined
  targets(): TargetSnapshot[]
  stats(): UpstreamStats
  /** Returns the number of requests that instances have not answered, with those that wait for a slot. */
  unanswered(): number
  /** Ends the health checks and, after the requests in flight, the connections. */
  close(): Promise<void>
}

/** A set of instances that changes, such as the addresses of a name in DNS. */
export interface TargetSource {
  /**
   * Calls `update` with the origins now or later, and after each change. An empty list is ignored.
   * @returns a function that ends the calls
   */
  follow(update: (origins: readonly string[]) => void): () => void
  /** The name in the certificates, if the origins are addresses. */
  readonly servername?: string
}

export type Targets = readonly string[] | TargetSource

/** A group of instances with its share of the requests, such as a canary release. */
export interface GroupOptions {
  name: string
  /** The share of the group is its weight in the sum of all weights. */
  weight: number
  targets: Targets
}

export interface UpstreamOptions {
  name: string
  /** Origins of the instances, such as `http://127.0.0.1:4101`, or a set that changes. */
  targets: Targets
  /** Further groups beside `targets`, which has the weight `100 - (their sum)`. */
  groups?: readonly GroupOptions[]
  healthCheck?: HealthCheck
  /** Simultaneous requests to each instance. Further requests wait for `queueMs`. */
  connections?: number
  /** The longest wait for one of the `connections`, in ms; 1 s by default. At its end: 503. */
  queueMs?: number
  /** Simultaneous event streams and WebSockets of each instance; 256 by default. Above it: 503. */
  streams?: number
  /** The bulkhead: requests in flight to all instances. Further ones are a 503. */
  maxInFlight?: number
  /** Refuses all requests for a time after too many failed; without it, none. */
  breaker?: BreakerOptions
  /** Sends slow GETs to a second instance too, within the budget of retries; without it, none. */
  hedging?: HedgingOptions
  /**
   * PEM certificates of the authorities that sign for https targets, instead of the public ones. The
   * certificate of a target must have the host name of its origin.
   */
  ca?: string
  connectTimeoutMs?: number
  /**
   * The longest wait for the head of a response, after the request was written; 0: no limit. Only time
   * in which the event loop ran counts.
   */
  headersTimeoutMs?: number
  /** The longest silence within the body of a response. Event streams have no limit. */
  bodyTimeoutMs?: number
  /** `failures` in a row eject an instance for `durationMs`. `usableTargets` has the panic threshold. */
  ejection?: Partial<EjectionLimits> & { panicThreshold?: number }
  /** How long an instance that joins or recovers gets fewer requests at a time, in ms. */
  slowStartMs?: number
  onEvent?: (event: UpstreamEvent) => void
}

// By then an idle connection is closed, so that idle targets can be checked rarely.
const keepAliveMs = 4_000

/**
 * Creates the upstream of one app. Each request goes to the better of two instances by latency and
 * requests in flight (`betterOfTwo`); equal instances take turns. Instances that fail are not used for
 * a time, and instances that join or recover start slowly.
 *
 * @throws ProxyError `bad-option`
 */
export function createUpstream(upstreamOptions: UpstreamOptions): Upstream {
  const options = readOptions(upstreamOptions)
  requireUpstreamOptions(options)
  const { name, healthCheck, connections = 64, slowStartMs = 5_000, onEvent } = options
  const { queueMs = 1_000, streams = 256 } = options
  const { connectTimeoutMs = 1_000, headersTimeoutMs = 10_000, bodyTimeoutMs = 30_000 } = options
  const { panicThreshold = 0, ...limits } = options.ejection ?? {}
  const { maxInFlight = Infinity, breaker } = options
  const ejection = { ...defaultEjection, ...limits }
  const timeouts = createTimeouts({ connectTimeoutMs, headersTimeoutMs, bodyTimeoutMs })
  const pool = { timeouts, keepAliveMs }
  const checks = healthCheck && createHealthChecks(healthCheck, ejection.failures)
  const admission = createAdmission(maxInFlight, breaker)
  const hedgeDelay = options.hedging && createHedgeDelay(options.hedging)
  const budget = createRetryBudget()
  const queue = new Waiting(queueMs)
  const counts = new CountsByTarget()
  let retries = 0
  let refusedRetries = 0

  const target: TargetGroupOptions['target'] = {
    pool,
    slotLimits: { requests: connections, streams },
    queue,
    ejection,
    slowStartMs,
    onResult(isError, latencyMs, nowMs) {
      admission.record(isError, nowMs)
      if (!isError) hedgeDelay?.record(latencyMs)
    },
    onStarted: () => checks?.noteRequest(),
    onEvent: (event, origin, detail) =>
      notify(() => onEvent?.({ event, upstream: name, origin, detail })),
  }

  function startGroup({ name: groupName, weight, targets }: GroupOptions) {
    const servername = 'follow' in targets ? targets.servername : undefined
    const tls = {
      ...(servername !== undefined && { servername }),
      ...(options.ca !== undefined && { ca: options.ca }),
    }
    const connect = Object.keys(tls).length === 0 ? {} : { connect: tls }
    const group = new TargetGroup({
      name: groupName,
      weight,
      panicThreshold,
      target: { ...target, pool: { ...pool, ...connect } },
      checks,
      counts,
    })
    if (!('follow' in targets)) group.update(targets)
    const stop =
      'follow' in targets ? targets.follow((origins) => group.update(origins)) : undefined
    return { group, stop }
  }

  const further = options.groups ?? []
  const restWeight = 100 - further.reduce((sum, { weight }) => sum + weight, 0)
  const main = { name: 'main', weight: restWeight, targets: options.targets }
  const started = [main, ...further].map(startGroup)
  const groups = started.map(({ group }) => group)
  const [mainGroup] = groups

  function groupOf({ stickyKey, group: wanted }: PickContext = {}): TargetGroup | undefined {
    if (groups.length === 1) return mainGroup
    const named = wanted === undefined ? undefined : groups.find((each) => each.name === wanted)
    const point = stickyKey === undefined ? Math.random() : hashOf(stickyKey)
    const chosen = named ?? groupAt(groups, point)
    return chosen?.isHealthy ? chosen : groups.find(({ isHealthy }) => isHealthy)
  }

  function allTargets(): Target[] {
    return groups.flatMap(({ targets }) => targets)
  }

  return {
    name,
    admit() {
      if (maxInFlight === Infinity && !breaker) return undefined
      return admission.check(allTargets().reduce((sum, { inFlight }) => sum + inFlight, 0))
    },
    pick(context, tried) {
      if (!tried) budget.earn()
      const group = groupOf(context) ?? mainGroup
      const picked = group?.pick(tried)
      if (picked || groups.length === 1) return picked
      for (const other of groups) {
        const found = other.pick(tried)
        if (found) return found
      }
      return undefined
    },
    allowRetry() {
      const isAllowed = budget.spend()
      if (isAllowed) retries += 1
      else refusedRetries += 1
      return isAllowed
    },
    hedgeAfterMs: () => hedgeDelay?.read(),
    targets: () =>
      allTargets().map((each) => {
        const { origin, state, inFlight, counts: targetCounts } = each
        return { origin, state, inFlight, counts: targetCounts }
      }),
    unanswered() {
      let sum = queue.size
      for (const { targets } of groups) for (const { waiting } of targets) sum += waiting
      return sum
    },
    stats: () => ({ retries, refusedRetries, waiting: queue.size }),
    async close() {
      for (const { stop } of started) stop?.()
      await checks?.close()
      await Promise.all(groups.map((group) => group.close()))
    },
  }
}

const defaultEjection: EjectionLimits = {
  failures: 3,
  consecutiveErrors: 5,
  errorRate: 0.5,
  minimumRequests: 10,
  windowMs: 10_000,
  durationMs: 5_000,
}
