import { namesOf } from './expression-names.ts'
import { allExpressions, recordedNames } from './expressions.ts'
import type { Scraped } from './scrape.ts'

/** The metric that Prometheus makes for each target. */
const OF_PROMETHEUS = new Set(['up'])

/**
 * Returns a line for each metric of the rules and of the dashboard that no scrape has, and for each label that
 * none of its
 * series has.
 *
 * @param scraped the series of all instances and exporters
 */
export function missingNames(
  scraped: Scraped,
  expressions: readonly { place: string; expr: string }[] = allExpressions(),
): string[] {
  const recorded = new Set(recordedNames())
  return expressions.flatMap(({ place, expr }) =>
    namesOf(expr).flatMap(({ metric, labels }) => {
      if (OF_PROMETHEUS.has(metric) || recorded.has(metric)) return []
      const series = scraped.get(metric)
      if (!series) return [`${place} reads ${metric}, which no scrape has`]
      // Counters of errors have their labels from the first error on.
      if (series.length === 0) return []
      return labels
        .filter((label) => !series.some((each) => label in each))
        .map((label) => `${place} reads the label ${label} of ${metric}, which no series has`)
    }),
  )
}
