import type { Target } from './target.ts'

type Candidate = Pick<Target, 'inFlight' | 'state'>

/** The part of a target that the choice between two of them reads. */
export interface Loaded {
  readonly inFlight: number
  readonly isFull: boolean
  readonly latency: { at(nowMs: number): number }
  weightAt(nowMs: number): number
}

/** Differences below this latency are noise. */
const floorMs = 25
/** Latencies within this factor are equal: they differ by the mix of requests. */
const equalFactor = 3

/**
 * Returns the targets that can get a request. A target that is `down` is left out, unless all targets
 * are down. The remaining ones are all used if the healthy share of them is below `panicThreshold` or
 * none is healthy: then a fault of the network is more likely than a fault of every instance (the
 * panic threshold of Envoy). Otherwise only the healthy ones are used.
 */
export function usableTargets<T extends Candidate>(
  targets: readonly T[],
  panicThreshold: number,
): readonly T[] {
  const up = targets.filter((target) => target.state !== 'down')
  const candidates = up.length > 0 ? up : targets
  const healthy = candidates.filter((target) => target.state === 'healthy')
  const isPanic = healthy.length === 0 || healthy.length < candidates.length * panicThreshold
  return isPanic ? candidates : healthy
}

/**
 * Returns the better one of two targets, the next in turn and a random other one (the power of two
 * choices, Mitzenmacher 2001): the one whose latency times its requests in flight is less. Equal ones
 * are used in turn. All balancers together do not flood the target that was best a moment ago.
 *
 * @param turn a counter of the requests
 * @param random from 0 to 1, without 1
 */
export function betterOfTwo<T extends Loaded>(
  targets: readonly T[],
  turn: number,
  nowMs: number,
  random = Math.random(),
): T | undefined {
  const count = targets.length
  const first = targets[turn % count]
  if (!first || count === 1) return first
  const second = targets[(turn + 1 + Math.floor(random * (count - 1))) % count] ?? first
  if (first.isFull !== second.isFull) return first.isFull ? second : first
  const [firstMs, secondMs] = [first.latency.at(nowMs), second.latency.at(nowMs)]
  const equalMs = Math.max(floorMs, equalFactor * Math.min(firstMs, secondMs))
  const isFirst = costOf(first, firstMs, equalMs, nowMs) <= costOf(second, secondMs, equalMs, nowMs)
  return isFirst ? first : second
}

function costOf(target: Loaded, latencyMs: number, equalMs: number, nowMs: number): number {
  return Math.max(latencyMs, equalMs) * (1 + target.inFlight * target.weightAt(nowMs))
}
