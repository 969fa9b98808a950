/** A number that a package counts itself. It is read when Prometheus requests `/metrics`. */
export interface Figure {
  /** `threefold_<package>_<noun>_<unit>`. Figures with the same name differ in their labels. */
  name: string
  help: string
  kind: 'counter' | 'gauge'
  /** Values from a short fixed list. A text that a client chose must never be a value. */
  labels?: Record<string, string>
  read: () => number
}

/** Numbers whose labels change while the instance runs, such as one number for each upstream target. */
export interface SeriesFigure {
  name: string
  help: string
  kind: 'counter' | 'gauge'
  labelNames: readonly string[]
  /** Returns the present series, each with all label names. The caller bounds their number. */
  readSeries: () => Iterable<{ labels: Record<string, string>; value: number }>
}

/** A histogram that a package counts itself, such as the result of `createHistogram`. */
export interface HistogramFigure {
  name: string
  help: string
  kind: 'histogram'
  labels?: Record<string, string>
  /** The upper bounds, in ascending order, without infinity. */
  buckets: readonly number[]
  read: () => HistogramCounts
}

export interface HistogramCounts {
  /** The values of each bucket alone, and at the end those above the last bound. */
  readonly counts: readonly number[]
  readonly sum: number
  /** The last recorded trace of each bucket. Scrapers that accept OpenMetrics receive them. */
  readonly exemplars?: readonly (Exemplar | undefined)[]
}

/** One value of a bucket, with the trace of its request. */
export interface Exemplar {
  readonly traceId: string
  readonly value: number
  readonly atMs: number
}

export type AnyFigure = Figure | SeriesFigure | HistogramFigure
