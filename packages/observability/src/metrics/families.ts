import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type {
  AnyFigure,
  Figure,
  HistogramCounts,
  HistogramFigure,
  SeriesFigure,
} from './figures.ts'

/** One series of a histogram. */
export interface HistogramSeries {
  readonly labels?: Record<string, string>
  read: () => HistogramCounts
}

interface HistogramFamilyOptions {
  name: string
  help: string
  labelNames: readonly string[]
  buckets: readonly number[]
}

/** All histograms with one name, as a metric of prom-client. */
class HistogramFamily extends Histogram {
  readonly #options: HistogramFamilyOptions
  readonly #readAll: () => readonly HistogramSeries[]

  constructor(options: HistogramFamilyOptions, readAll: () => readonly HistogramSeries[]) {
    const { labelNames, buckets } = options
    super({ ...options, labelNames: [...labelNames], buckets: [...buckets], registers: [] })
    this.#options = options
    this.#readAll = readAll
  }

  /** The registry of prom-client calls this method. */
  async getForPromString() {
    const { name, help, buckets } = this.#options
    const values = this.#readAll().flatMap((series) => valuesOf(name, buckets, series))
    return { name, help, type: 'histogram', values }
  }
}

/** Returns the values of one histogram. The buckets of Prometheus are cumulative. */
function valuesOf(name: string, buckets: readonly number[], series: HistogramSeries) {
  const { counts, sum, exemplars = [] } = series.read()
  const { labels: sharedLabels = {} } = series
  let count = 0
  const lines = counts.map((each, bucket) => {
    count += each
    const le = String(buckets[bucket] ?? '+Inf')
    return {
      ...{ metricName: `${name}_bucket`, labels: { le }, sharedLabels, value: count },
      exemplar: exemplars[bucket],
    }
  })
  return [
    ...lines,
    { metricName: `${name}_sum`, labels: {}, sharedLabels, value: sum },
    { metricName: `${name}_count`, labels: {}, sharedLabels, value: count },
  ]
}

/** Creates a metric that reads all its series at each scrape. */
export function createHistogramFamily(
  options: HistogramFamilyOptions,
  readAll: () => readonly HistogramSeries[],
): Histogram {
  return new HistogramFamily(options, readAll)
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

function labelNamesOf(figure: Figure | SeriesFigure | HistogramFigure): string[] {
  return 'readSeries' in figure ? [...figure.labelNames] : Object.keys(figure.labels ?? {})
}

/** Returns a function that adds figures to `/metrics`, and returns one that removes them. */
export function createObserve(registry: Registry) {
  const observed = new Map<string, AnyFigure[]>()

  function remove(figures: readonly AnyFigure[]): void {
    for (const figure of figures) {
      const all = observed.get(figure.name)
      const at = all?.indexOf(figure) ?? -1
      if (at !== -1) all?.splice(at, 1)
    }
  }

  return function observe(figures: readonly AnyFigure[]): () => void {
    for (const figure of figures) {
      const registered = observed.get(figure.name)
      if (registered) {
        registered.push(figure)
        continue
      }
      const all: AnyFigure[] = [figure]
      observed.set(figure.name, all)
      if (isHistogram(figure)) {
        const { name, help, buckets } = figure
        const options = { name, help, buckets, labelNames: labelNamesOf(figure) }
        registry.registerMetric(createHistogramFamily(options, () => all.filter(isHistogram)))
      } else registerNumbers(figure, () => all, registry)
    }
    return () => remove(figures)
  }
}
