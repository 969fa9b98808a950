import type { LoadShedder } from './overload/load-shedder.ts'
import type { Outcome } from './upstream/target-counts.ts'
import type { TargetSnapshot, Upstream } from './upstream/upstream.ts'

interface Series {
  labels: Record<string, string>
  value: number
}

/** The targets with one label: one target, or all of `other`. */
type Labelled = readonly [first: TargetSnapshot, ...rest: TargetSnapshot[]]

const labelNames = ['upstream', 'target']
const outcomes: readonly Outcome[] = ['ok', 'error', 'refused', 'timeout', 'aborted']

/**
 * Returns the figures of an upstream and its targets, for Prometheus. Their shape is that of
 * `@repo/observability`, which this package does not depend on. The label `target` is the `host:port`
 * of an instance, or `other` beyond 12 targets. A removed target has no series.
 */
export function upstreamFigures(upstream: Pick<Upstream, 'name' | 'targets' | 'stats'>) {
  const labels = { upstream: upstream.name }

  function single(name: string, help: string, kind: 'counter' | 'gauge', read: () => number) {
    return { name: `threefold_proxy_${name}`, help, kind, labels, read }
  }

  function series(
    name: string,
    help: string,
    kind: 'counter' | 'gauge',
    read: (targets: Labelled) => number,
  ) {
    const readSeries = () => byLabel(upstream.targets()).map((each) => toSeries(each, read(each)))
    return { name: `threefold_proxy_${name}`, help, kind, labelNames, readSeries }
  }

  function toSeries([{ counts }]: Labelled, value: number): Series {
    return { labels: { ...labels, target: counts.label }, value }
  }

  return [
    {
      name: 'threefold_proxy_requests_total',
      help: 'Attempts at a target that ended, by outcome',
      kind: 'counter' as const,
      labelNames: [...labelNames, 'outcome'],
      readSeries: () =>
        byLabel(upstream.targets()).flatMap(([{ counts }]) =>
          outcomes.map((outcome) => ({
            labels: { ...labels, target: counts.label, outcome },
            value: counts[outcome],
          })),
        ),
    },
    series(
      'ejections_total',
      'How often a target was ejected, because it failed requests',
      'counter',
      ([{ counts }]) => counts.ejections,
    ),
    series('target_in_flight', 'Requests in flight to a target', 'gauge', (targets) =>
      targets.reduce((sum, { inFlight }) => sum + inFlight, 0),
    ),
    series('target_healthy', '1: a target receives requests, 0: ejected or down', 'gauge', (all) =>
      all.every(({ state }) => state === 'healthy') ? 1 : 0,
    ),
    single('retries_total', 'Attempts after the first one of a request', 'counter', () => {
      return upstream.stats().retries
    }),
    single(
      'retry_budget_exhausted_total',
      'Attempts that the budget of retries refused',
      'counter',
      () => upstream.stats().refusedRetries,
    ),
    single('queue_waiting', 'Requests that wait for a slot of any target', 'gauge', () => {
      return upstream.stats().waiting
    }),
  ]
}

/** Returns the number of requests that a load shedder refused, for Prometheus. */
export function loadShedderFigures(shedder: Pick<LoadShedder, 'refused'>) {
  return [
    {
      name: 'threefold_proxy_shed_total',
      help: 'Requests refused because of overload',
      kind: 'counter' as const,
      read: () => shedder.refused(),
    },
  ]
}

function byLabel(targets: readonly TargetSnapshot[]): Labelled[] {
  const groups = new Map<string, [TargetSnapshot, ...TargetSnapshot[]]>()
  for (const target of targets) {
    const group = groups.get(target.counts.label)
    if (group) group.push(target)
    else groups.set(target.counts.label, [target])
  }
  return [...groups.values()]
}
