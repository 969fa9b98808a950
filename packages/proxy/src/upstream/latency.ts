const weight = 0.2
const repeatedWeight = 0.5
const decayMs = 10_000
const maxSampleMs = 160
const maxRise = 4
const slowMs = 100
const errorPenaltyMs = 250

/**
 * The recent latency of a target: an exponentially weighted mean that also decays with time, so that
 * a slow target is tried again (the EWMA of Finagle). One slow response moves it by at most 32 ms or
 * by four fifths of itself: a pause is no slow target. A second slow response in a row moves the mean by
 * half of the difference, so that a slow target is tried rarely. An error counts as at least 250 ms, so a target
 * that fails fast does not look fast.
 */
export class Latency {
  #valueMs = 0
  #atMs = 0
  #wasSlow = false

  /** Returns the mean in ms. */
  at(nowMs: number): number {
    if (this.#valueMs === 0) return 0
    return this.#valueMs * Math.exp((this.#atMs - nowMs) / decayMs)
  }

  record(latencyMs: number, isError: boolean, nowMs: number): void {
    const valueMs = this.at(nowMs)
    const sampleMs = isError
      ? Math.max(latencyMs, errorPenaltyMs)
      : Math.min(latencyMs, Math.max(maxSampleMs, valueMs * maxRise))
    const isSlow = sampleMs > slowMs && sampleMs > valueMs * 2
    const share = isSlow && this.#wasSlow ? repeatedWeight : weight
    this.#valueMs = valueMs + share * (sampleMs - valueMs)
    this.#wasSlow = isSlow
    this.#atMs = nowMs
  }

  reset(): void {
    this.#valueMs = 0
    this.#wasSlow = false
  }
}
