import { inRequest, readRequestContext, type RequestContext } from '../request/request-context.ts'
import { createTraces, type Traces, type TracesOptions } from './traces.ts'

/** Traces that are sent every 10 ms. */
export function openTraces(
  url: string,
  { settings, ...options }: Partial<TracesOptions> = {},
): Traces & AsyncDisposable {
  const traces = createTraces({
    settings: { url, delayMs: 10, ...settings },
    app: 'payments',
    instance: 'payments-1',
    version: '1.2.3',
    ...options,
  })
  return { ...traces, [Symbol.asyncDispose]: traces.close }
}

/** The value of a figure, such as `dropped_total` with the reason. */
export async function figureOf(traces: Traces, name: string, reason?: string): Promise<number> {
  const figure = traces.figures.find(
    (each) => each.name.endsWith(name) && each.labels?.['reason'] === reason,
  )
  return Number(figure?.read())
}

/** Runs `work` in a request that is recorded, and returns its context. */
export function recorded(traces: Traces, work: (context: RequestContext) => void): RequestContext {
  const context = readRequestContext({ headers: {} }, () => true)
  traces.begin(context)
  inRequest(context, () => work(context))
  return context
}
