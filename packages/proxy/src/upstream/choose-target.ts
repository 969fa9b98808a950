import type { Target } from './target.ts'

type Candidate = Pick<Target, 'inFlight' | 'state'>

/**
 * The targets that may get a request. Health checks are believed before failures in use: who is
 * `down` is left out, unless all are. Of the others only the healthy ones are used, unless they are
 * fewer than `panicThreshold` of them, or none: then it is likelier that the network is at fault
 * than every instance, and all are tried (Envoy's panic threshold).
 */
export function usableTargets<T extends Candidate>(targets: T[], panicThreshold: number): T[] {
  const up = targets.filter((target) => target.state !== 'down')
  const candidates = up.length > 0 ? up : targets
  const healthy = candidates.filter((target) => target.state === 'healthy')
  const isPanic = healthy.length === 0 || healthy.length < candidates.length * panicThreshold
  return isPanic ? candidates : healthy
}

/** The target with the fewest requests in flight; of several, the first from `turn` on. */
export function leastLoaded<T extends Candidate>(targets: T[], turn: number): T | undefined {
  let best: T | undefined
  for (let i = 0; i < targets.length; i += 1) {
    const target = targets[(turn + i) % targets.length]
    if (target && (!best || target.inFlight < best.inFlight)) best = target
  }
  return best
}
