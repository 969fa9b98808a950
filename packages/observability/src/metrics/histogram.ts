import type { Exemplar, HistogramCounts, HistogramFigure } from './figures.ts'

/** The bounds of durations from one millisecond to five seconds, in seconds. */
export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] as const

/** Counts values in buckets. One value costs some nanoseconds. */
export class BucketCounts implements HistogramCounts {
  readonly counts: number[]
  readonly exemplars: (Exemplar | undefined)[] = []
  sum = 0
  readonly #buckets: readonly number[]

  /** @param buckets the upper bounds, in ascending order, without infinity */
  constructor(buckets: readonly number[]) {
    this.#buckets = buckets
    this.counts = Array.from({ length: buckets.length + 1 }, () => 0)
  }

  /** Counts a value, and returns the index of its bucket. */
  add(value: number): number {
    const buckets = this.#buckets
    let bucket = 0
    while (bucket < buckets.length && value > (buckets[bucket] ?? 0)) bucket += 1
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    this.sum += value
    return bucket
  }
}

/** A histogram that counts in memory, and is registered by `metrics.observe([histogram])`. */
export interface Histogram extends HistogramFigure {
  /** Counts a duration in seconds, or another value of at least 0. Any other number is ignored. */
  observe: (seconds: number) => void
}

/**
 * Creates a histogram of one series. It has no connection to a registry, so a package can count before
 * and without one: `metrics.observe([histogram])` adds it to `/metrics`. Histograms with the same name
 * must have the same buckets and label names.
 *
 * @param buckets the upper bounds in ascending order, without infinity; 1 ms to 5 s by default
 * @throws RangeError when the bounds are not in ascending order
 */
export function createHistogram({
  name,
  help,
  labels = {},
  buckets = SECONDS,
}: {
  name: string
  help: string
  labels?: Record<string, string>
  buckets?: readonly number[]
}): Histogram {
  if (buckets.some((bound, i) => !(bound > (buckets[i - 1] ?? -Infinity)))) {
    throw new RangeError(`The buckets of ${name} are not in ascending order: ${buckets.join(' ')}`)
  }
  const counts = new BucketCounts(buckets)
  return {
    name,
    help,
    kind: 'histogram',
    labels,
    buckets,
    read: () => counts,
    observe(seconds) {
      // One NaN would make the sum useless until the process ends.
      if (seconds >= 0 && seconds < Infinity) counts.add(seconds)
    },
  }
}
