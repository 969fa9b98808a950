import { isOrigin, MAX_TIMER_MS } from '../options.ts'
import { betterOfTwo, usableTargets } from './choose-target.ts'
import type { HealthChecks } from './health-check.ts'
import type { CountsByTarget } from './target-counts.ts'
import { Target, type TargetOptions } from './target.ts'

export interface TargetGroupOptions {
  name: string
  weight: number
  panicThreshold: number
  target: Omit<TargetOptions, 'isOutlier' | 'onChange' | 'groupRequests' | 'counts'>
  counts: CountsByTarget
  checks: HealthChecks | undefined
}

/** The targets of one group of an upstream, as a set that changes. */
export class TargetGroup {
  readonly name: string
  readonly weight: number
  readonly #options: TargetGroupOptions
  #targets: readonly Target[] = []
  /** The targets that can get a request, until a state changes. */
  #usable: readonly Target[] = []
  #usableUntilMs = 0
  #ejectionTimer: NodeJS.Timeout | undefined
  #turn = 0
  readonly #retired = new Set<Promise<unknown>>()

  constructor(options: TargetGroupOptions) {
    this.name = options.name
    this.weight = options.weight
    this.#options = options
  }

  get targets(): readonly Target[] {
    return this.#targets
  }

  /** Replaces the set. An empty one is ignored: a source that lost its data must not end the service. */
  update(origins: readonly string[]): void {
    const unique = [...new Set(origins.filter(isOrigin))]
    if (unique.length === 0) return
    const before = this.#targets
    const byOrigin = new Map(before.map((target) => [target.origin, target]))
    // A target that is removed frees its label for a new one.
    for (const target of before) if (!unique.includes(target.origin)) this.#retire(target)
    this.#targets = unique.map((origin) => byOrigin.get(origin) ?? this.#create(origin))
    this.#noteChange()
  }

  /** A target has joined, or the state of one has changed or will change at the end of its ejection. */
  #noteChange(): void {
    this.#usableUntilMs = 0
    // The target that reports a change has not completed it yet.
    queueMicrotask(() => this.#options.target.queue.wakeAll())
    clearTimeout(this.#ejectionTimer)
    const nowMs = performance.now()
    const ends = this.#targets.map(({ ejectedUntilMs }) => ejectedUntilMs - nowMs)
    const nextMs = Math.min(...ends.filter((ms) => ms > 0), MAX_TIMER_MS)
    if (nextMs === MAX_TIMER_MS) return
    this.#ejectionTimer = setTimeout(() => this.#noteChange(), Math.ceil(nextMs)).unref()
  }

  #create(origin: string): Target {
    const { target: options, checks, counts } = this.#options
    const target = new Target(origin, {
      ...options,
      counts: counts.assign(origin),
      isOutlier: (each, rate) => isOutlier(this.#targets, each, rate),
      onChange: () => this.#noteChange(),
      groupRequests: () => this.#turn,
    })
    // The first targets are all cold, so that none needs to be spared.
    if (this.#targets.length > 0) target.warm()
    checks?.add(target)
    return target
  }

  /** The requests in flight complete before the connections are closed. */
  #retire(target: Target): void {
    this.#options.counts.release(target.counts)
    this.#options.checks?.remove(target)
    const closed = target.pool.close()
    this.#retired.add(closed)
    void closed.finally(() => this.#retired.delete(closed))
  }

  async close(): Promise<void> {
    clearTimeout(this.#ejectionTimer)
    await Promise.all([...this.#retired, ...this.#targets.map(({ pool }) => pool.close())])
  }

  /** Whether any target is healthy. */
  get isHealthy(): boolean {
    return this.#targets.some(({ state }) => state === 'healthy')
  }

  /** Returns the target for an attempt, not one of `tried`. */
  pick(tried: readonly Target[] | undefined): Target | undefined {
    const nowMs = performance.now()
    this.#turn += 1
    if (tried) {
      const rest = this.#targets.filter((each) => !tried.includes(each))
      return betterOfTwo(usableTargets(rest, this.#options.panicThreshold), this.#turn, nowMs)
    }
    if (nowMs >= this.#usableUntilMs) this.#refresh(nowMs)
    return betterOfTwo(this.#usable, this.#turn, nowMs)
  }

  /** Ejections end by themselves, so the list is valid until the first of them ends. */
  #refresh(nowMs: number): void {
    this.#usable = usableTargets(this.#targets, this.#options.panicThreshold)
    this.#usableUntilMs = Infinity
    for (const { ejectedUntilMs } of this.#targets) {
      if (ejectedUntilMs > nowMs) {
        this.#usableUntilMs = Math.min(this.#usableUntilMs, ejectedUntilMs)
      }
    }
  }
}

/**
 * Whether the errors of a target are its own fault: another one responds well, and the others have less
 * than half of its error rate. Errors of all targets have a common cause, such as a store.
 */
function isOutlier(targets: readonly Target[], target: Target, errorRate: number): boolean {
  const nowMs = performance.now()
  let [total, errors] = [0, 0]
  let isAnyGood = false
  for (const each of targets) {
    if (each === target) continue
    each.window.advance(nowMs)
    total += each.window.total
    errors += each.window.errors
    isAnyGood ||= each.isGood
  }
  return isAnyGood && errors <= total * (errorRate / 2)
}
