import { Histogram, type HistogramConfiguration } from 'prom-client'

type Label = 'method' | 'status'

interface Series {
  method: string
  status: number
  /** The requests of each bucket, and those beyond the last one. */
  counts: number[]
  sum: number
}

/**
 * The histogram of requests by method and status. `observe` of prom-client validates and hashes labels
 * for each value, which costs 2 us. This class finds the series of a request by its two labels.
 */
export class RequestDurations extends Histogram<Label> {
  readonly #configuration: HistogramConfiguration<Label>
  readonly #buckets: readonly number[]
  readonly #byMethod = new Map<string, Map<number, Series>>()

  constructor(configuration: HistogramConfiguration<Label> & { buckets: number[] }) {
    super(configuration)
    this.#configuration = configuration
    this.#buckets = configuration.buckets
  }

  record(method: string, status: number, seconds: number): void {
    const series = this.#byMethod.get(method)?.get(status) ?? this.#open(method, status)
    const buckets = this.#buckets
    let bucket = 0
    while (bucket < buckets.length && seconds > (buckets[bucket] ?? 0)) bucket += 1
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1
    series.sum += seconds
  }

  #open(method: string, status: number): Series {
    const series = { method, status, counts: this.#buckets.map(() => 0).concat(0), sum: 0 }
    const statuses = this.#byMethod.get(method) ?? new Map<number, Series>()
    statuses.set(status, series)
    this.#byMethod.set(method, statuses)
    return series
  }

  /** The registry of prom-client calls this method. */
  async getForPromString() {
    const { name, help } = this.#configuration
    const all = [...this.#byMethod.values()].flatMap((statuses) => [...statuses.values()])
    return { name, help, type: 'histogram', values: all.flatMap((series) => this.#values(series)) }
  }

  #values({ method, status, counts, sum }: Series) {
    const { name } = this.#configuration
    const sharedLabels = { method, status: String(status) }
    let count = 0
    const buckets = counts.map((each, bucket) => {
      count += each
      const le = String(this.#buckets[bucket] ?? '+Inf')
      return { metricName: `${name}_bucket`, labels: { le }, sharedLabels, value: count }
    })
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels: {}, sharedLabels, value: sum },
      { metricName: `${name}_count`, labels: {}, sharedLabels, value: count },
    ]
  }
}
