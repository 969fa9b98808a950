import type { MetricRow } from '../metrics/table.ts'
import { namesOf } from './expression-names.ts'
import { allExpressions, recordedNames } from './expressions.ts'

/** A metric of a scrape or of docs/metrics.md. With 0 series, a scrape does not have its labels. */
export type NamedMetric = MetricRow & { series?: number }

/** The metric that Prometheus makes for each target. */
const OF_PROMETHEUS = 'up'
/** The labels of every series of an instance. */
const OF_INSTANCES = ['app', 'instance']

/**
 * Returns a line for each metric of the rules and of the dashboard that is not among the metrics, and for each
 * label that none of its series has.
 *
 * @param metrics those of all instances and exporters; a name may occur several times
 */
export function missingNames(
  metrics: readonly NamedMetric[],
  expressions: readonly { place: string; expr: string }[] = allExpressions(),
): string[] {
  const labelsOf = labelsByName(metrics)
  const ignored = new Set([OF_PROMETHEUS, ...recordedNames()])
  return expressions.flatMap(({ place, expr }) =>
    namesOf(expr).flatMap(({ metric, labels }) => {
      if (ignored.has(metric)) return []
      const found = labelsOf.get(metric)
      if (!found) return [`${place} reads ${metric}, which no scrape has`]
      // Counters of errors have their labels from the first error on.
      if (found.size === 0) return []
      return labels
        .filter((label) => !found.has(label))
        .map((label) => `${place} reads the label ${label} of ${metric}, which no series has`)
    }),
  )
}

/** The labels of each name in a scrape; a histogram has three names. The set is empty without a series. */
function labelsByName(metrics: readonly NamedMetric[]): Map<string, Set<string>> {
  const byName = new Map<string, Set<string>>()
  for (const { name, type, labels, series } of metrics) {
    const names = type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
    for (const each of names) {
      const all = byName.get(each) ?? new Set()
      byName.set(each, all)
      if (series === 0) continue
      for (const label of [...OF_INSTANCES, ...labels]) all.add(label)
      if (each.endsWith('_bucket')) all.add('le')
    }
  }
  return byName
}
