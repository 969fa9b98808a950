import type { Registry } from 'prom-client'
import type { RequestContext } from '../request/request-context.ts'
import { createHistogramFamily, type HistogramSeries } from './families.ts'
import type { Figure, SeriesFigure } from './figures.ts'
import { BucketCounts, SECONDS } from './histogram.ts'

/** The route of a request whose path belongs to no route, or that was refused before one was found. */
const UNMATCHED = 'unmatched'
/** The route of all combinations beyond the bound. */
const OTHER = 'other'
/** The method of `unmatched` and `other`: clients choose it, and these routes have only one series for each class. */
const ANY_METHOD = 'any'

/** Clients can send HEAD and OPTIONS to each route: HEAD is counted as GET, and OPTIONS in `other`. */
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
const METHOD_INDEX = new Map([...METHODS.map((method, at) => [method, at] as const), ['HEAD', 0]])
const OTHER_METHOD = METHODS.length
const CLASSES = ['2xx', '3xx', '4xx', '5xx'] as const
const CLIENT_ERROR = CLASSES.indexOf('4xx')
/** The status codes with a counter each. Others are counted together. */
const MAX_STATUSES = 24

/** The requests of one combination of labels. */
class RequestSeries extends BucketCounts implements HistogramSeries {
  readonly labels: Record<string, string>

  constructor(method: string, route: string, statusClass: string) {
    super(SECONDS)
    this.labels = { method, route, status_class: statusClass }
  }

  read() {
    return this
  }
}

/**
 * Counts the requests of an instance: durations by method, route and class of the status, and responses
 * by exact status.
 *
 * The number of combinations has a bound, for any requests of the clients. Combinations beyond it are counted
 * in `route="other"`. A client can cause a 4xx of each route, so these use at most half of the bound.
 */
export class RequestMetrics {
  readonly #maxCombinations: number
  readonly #series: RequestSeries[] = []
  /** The series of a route, by method and class. Only routes that have a series are in the map. */
  readonly #byRoute = new Map<string, (RequestSeries | undefined)[]>()
  readonly #overflow: (RequestSeries | undefined)[] = []
  #clientErrors = 0
  readonly #responses = new Map<number, number>()
  #otherResponses = 0
  #requests = 0
  #failures = 0

  /** @param maxCombinations the largest number of combinations, at least 8 */
  constructor(maxCombinations: number, registry: Registry) {
    // `other` has a series for each class, beyond which no request is lost.
    this.#maxCombinations = maxCombinations - CLASSES.length
    registry.registerMetric(
      createHistogramFamily(
        {
          name: 'threefold_http_request_seconds',
          help: 'Time from the complete head of a request to the last byte of its response',
          labelNames: ['method', 'route', 'status_class'],
          buckets: SECONDS,
        },
        () => [...this.#series, ...this.#overflow.filter((series) => series !== undefined)],
      ),
    )
  }

  /** Counts a request whose response ended. */
  record(
    method: string,
    status: number,
    seconds: number,
    context: Pick<RequestContext, 'route' | 'span' | 'traceId'>,
  ): void {
    this.recordStatus(status)
    this.#requests += 1
    if (status >= 500) this.#failures += 1
    const { route = UNMATCHED } = context
    const methodIndex = route === UNMATCHED ? 0 : (METHOD_INDEX.get(method) ?? OTHER_METHOD)
    const classIndex = status < 300 ? 0 : status < 400 ? 1 : status < 500 ? 2 : 3
    if (method === 'OPTIONS' && route !== UNMATCHED) {
      return this.#add(this.#beyond(classIndex), seconds, context)
    }
    const series =
      this.#byRoute.get(route)?.[methodIndex * CLASSES.length + classIndex] ??
      this.#open(route, methodIndex, classIndex)
    this.#add(series, seconds, context)
  }

  #add(
    series: RequestSeries,
    seconds: number,
    context: Pick<RequestContext, 'span' | 'traceId'>,
  ): void {
    const bucket = series.add(seconds)
    // Without a receiver of traces, the trace of an exemplar does not exist.
    if (context.span) {
      series.exemplars[bucket] = { traceId: context.traceId, value: seconds, atMs: Date.now() }
    }
  }

  /** Counts a response without a duration: an upgraded connection, or a request that was not readable. */
  recordStatus(status: number): void {
    const count = this.#responses.get(status)
    if (count !== undefined) this.#responses.set(status, count + 1)
    else if (this.#responses.size < MAX_STATUSES) this.#responses.set(status, 1)
    else this.#otherResponses += 1
  }

  /**
   * The requests of the histogram, and those with 5xx. Both exist at 0 from the start: Prometheus sees no
   * increase in a series that appears with its first requests.
   */
  totals(): Figure[] {
    return [
      {
        name: 'threefold_http_requests_total',
        help: 'Requests whose response ended',
        kind: 'counter',
        read: () => this.#requests,
      },
      {
        name: 'threefold_http_failures_total',
        help: 'Requests whose response was 5xx',
        kind: 'counter',
        read: () => this.#failures,
      },
    ]
  }

  /** The responses by exact status. */
  responses(): SeriesFigure {
    return {
      name: 'threefold_http_responses_total',
      help: 'Responses by status, with those to requests that could not be read',
      kind: 'counter',
      labelNames: ['status'],
      readSeries: () => {
        const statuses = [...this.#responses].map(([status, value]) => ({
          labels: { status: String(status) },
          value,
        }))
        if (this.#otherResponses === 0) return statuses
        return [...statuses, { labels: { status: OTHER }, value: this.#otherResponses }]
      },
    }
  }

  #open(route: string, methodIndex: number, classIndex: number): RequestSeries {
    if (!this.#hasPlace(classIndex)) return this.#beyond(classIndex)
    const statusClass = CLASSES[classIndex] ?? '5xx'
    const method = route === UNMATCHED ? ANY_METHOD : (METHODS[methodIndex] ?? OTHER)
    const series = new RequestSeries(method, route, statusClass)
    if (classIndex === CLIENT_ERROR) this.#clientErrors += 1
    this.#series.push(series)
    const ofRoute = this.#byRoute.get(route) ?? []
    ofRoute[methodIndex * CLASSES.length + classIndex] = series
    this.#byRoute.set(route, ofRoute)
    return series
  }

  /** Returns the series of `other` for a class of the status. */
  #beyond(classIndex: number): RequestSeries {
    const statusClass = CLASSES[classIndex] ?? '5xx'
    return (this.#overflow[classIndex] ??= new RequestSeries(ANY_METHOD, OTHER, statusClass))
  }

  #hasPlace(classIndex: number): boolean {
    if (this.#series.length >= this.#maxCombinations) return false
    return classIndex !== CLIENT_ERROR || this.#clientErrors < this.#maxCombinations / 2
  }
}
