/** The trace of one call of a gateway, from its begin. */
interface CallTrace {
  readonly traceparent: string
  head(statusCode: number, headers: Record<string, string>): void
  end(outcome: 'ok' | 'refused' | 'error'): void
}

export interface CallTraces {
  /**
   * Returns a function that begins the trace of a call, for the origin of a gateway and the number of
   * the attempt. Undefined if the current request is not recorded.
   */
  current(): ((origin: string, number: number) => CallTrace) | undefined
  /** Proves to the gateway that this instance has decided about the trace. */
  key: string | undefined
}

/**
 * Next bundles pages without the instance that serves them. Both module graphs share a registered
 * symbol.
 */
const key: unique symbol = Symbol.for('threefold.web.call-traces')
const shared: typeof globalThis & { [key]?: CallTraces } = globalThis

/** Makes the traces of this instance available to pages. */
export function shareCallTraces(traces: CallTraces): void {
  shared[key] = traces
}

/** Returns the traces of this instance: undefined in a build. */
export function sharedCallTraces(): CallTraces | undefined {
  return shared[key]
}
