/** Sends a GET to a second instance too when the first one is slower than usual. */
export interface HedgingOptions {
  /** The share of the responses that arrive before a second request is sent; 0.95 by default. */
  percentile?: number
  /** The shortest delay in ms; 10 by default. */
  minimumMs?: number
}

export interface HedgeDelay {
  record(latencyMs: number): void
  /** Returns the delay in ms; undefined while too few responses were recorded. */
  read(): number | undefined
}

const samples = 512
const minimumSamples = 50
const refreshEvery = 64

/** A percentile of the last 512 latencies, computed again after each 64 of them. */
export function createHedgeDelay({
  percentile = 0.95,
  minimumMs = 10,
}: HedgingOptions): HedgeDelay {
  const latencies = new Float64Array(samples)
  let count = 0
  let delayMs: number | undefined

  return {
    record(latencyMs) {
      latencies[count % samples] = latencyMs
      count += 1
      if (count < minimumSamples || (delayMs !== undefined && count % refreshEvery !== 0)) return
      const sorted = latencies.slice(0, Math.min(count, samples)).toSorted()
      delayMs = Math.max(minimumMs, sorted[Math.floor(sorted.length * percentile)] ?? minimumMs)
    },
    read: () => delayMs,
  }
}
