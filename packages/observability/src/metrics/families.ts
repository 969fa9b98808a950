import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { AnyFigure, Figure, HistogramFigure, SeriesFigure } from './figures.ts'

/** All histograms with one name, as a metric of prom-client. */
class HistogramFamily extends Histogram {
  readonly #first: HistogramFigure
  readonly #readAll: () => readonly HistogramFigure[]

  constructor(first: HistogramFigure, readAll: () => readonly HistogramFigure[]) {
    const { name, help, labels = {}, buckets } = first
    super({ name, help, labelNames: Object.keys(labels), buckets: [...buckets], registers: [] })
    this.#first = first
    this.#readAll = readAll
  }

  /** The registry of prom-client calls this method. */
  async getForPromString() {
    const { name, help } = this.#first
    return { name, help, type: 'histogram', values: this.#readAll().flatMap(valuesOf) }
  }
}

/** Returns the lines of one histogram. The buckets of Prometheus are cumulative. */
function valuesOf({ name, labels = {}, buckets, read }: HistogramFigure) {
  const { counts, sum, exemplars = [] } = read()
  const sharedLabels = labels
  let count = 0
  const lines = counts.map((each, bucket) => {
    count += each
    const le = String(buckets[bucket] ?? '+Inf')
    const exemplar = exemplars[bucket] && {
      labelSet: { trace_id: exemplars[bucket].traceId },
      value: exemplars[bucket].value,
      timestamp: exemplars[bucket].atMs / 1_000,
    }
    return { metricName: `${name}_bucket`, labels: { le }, sharedLabels, value: count, exemplar }
  })
  return [
    ...lines,
    { metricName: `${name}_sum`, labels: {}, sharedLabels, value: sum },
    { metricName: `${name}_count`, labels: {}, sharedLabels, value: count },
  ]
}

function isHistogram(figure: AnyFigure): figure is HistogramFigure {
  return figure.kind === 'histogram'
}

function seriesOf(figure: AnyFigure): Iterable<{ labels: Record<string, string>; value: number }> {
  if (figure.kind === 'histogram') return []
  if ('readSeries' in figure) return figure.readSeries()
  return [{ labels: figure.labels ?? {}, value: figure.read() }]
}

function registerNumbers(first: Figure | SeriesFigure, all: () => AnyFigure[], to: Registry) {
  const { name, help, kind } = first
  const options = { name, help, labelNames: labelNamesOf(first), registers: [to] }
  const series = () => all().flatMap((figure) => [...seriesOf(figure)])
  if (kind === 'gauge') {
    const gauge = new Gauge({
      ...options,
      collect() {
        // A series that no figure returns any more must disappear.
        gauge.reset()
        for (const { labels, value } of series()) gauge.set(labels, value)
      },
    })
    return
  }
  const counter = new Counter({
    ...options,
    collect() {
      counter.reset()
      for (const { labels, value } of series()) counter.inc(labels, value)
    },
  })
}

function labelNamesOf(figure: Figure | SeriesFigure): string[] {
  return 'readSeries' in figure ? [...figure.labelNames] : Object.keys(figure.labels ?? {})
}

/** Returns a function that adds figures to `/metrics`. */
export function createObserve(registry: Registry) {
  const observed = new Map<string, AnyFigure[]>()
  return function observe(figures: readonly AnyFigure[]): void {
    for (const figure of figures) {
      const registered = observed.get(figure.name)
      if (registered) {
        registered.push(figure)
        continue
      }
      const all: AnyFigure[] = [figure]
      observed.set(figure.name, all)
      if (isHistogram(figure)) {
        registry.registerMetric(new HistogramFamily(figure, () => all.filter(isHistogram)))
      } else registerNumbers(figure, () => all, registry)
    }
  }
}
