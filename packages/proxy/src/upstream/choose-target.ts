import type { Target } from './target.ts'

type Candidate = Pick<Target, 'inFlight' | 'state'>

/**
 * Returns the targets that can get a request. A target that is `down` is left out, unless all targets
 * are down. The remaining ones are all used if the healthy share of them is below `panicThreshold` or
 * none is healthy: then a fault of the network is more likely than a fault of every instance (the
 * panic threshold of Envoy). Otherwise only the healthy ones are used.
 */
export function usableTargets<T extends Candidate>(targets: T[], panicThreshold: number): T[] {
  const up = targets.filter((target) => target.state !== 'down')
  const candidates = up.length > 0 ? up : targets
  const healthy = candidates.filter((target) => target.state === 'healthy')
  const isPanic = healthy.length === 0 || healthy.length < candidates.length * panicThreshold
  return isPanic ? candidates : healthy
}

/** Returns the target with the fewest requests in flight; equal targets take turns. */
export function leastLoaded<T extends Candidate>(targets: T[], turn: number): T | undefined {
  let best: T | undefined
  for (let i = 0; i < targets.length; i += 1) {
    const target = targets[(turn + i) % targets.length]
    if (target && (!best || target.inFlight < best.inFlight)) best = target
  }
  return best
}
