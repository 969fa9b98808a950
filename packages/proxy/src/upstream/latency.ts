const weight = 0.2
const repeatedWeight = 0.5
const decayMs = 5_000
const maxSampleMs = 160
const maxRise = 4
const maxValueMs = 500
const slowMs = 100
const errorPenaltyMs = 250
/** The latency that trials of a slow target may add to the mean of all requests. */
const trialCostMs = 0.5
const maxTrialGap = 450

/**
 * The recent latency of a target: an exponentially weighted mean that also decays with time, so that
 * a slow target is tried again (the EWMA of Finagle). One slow response moves it by at most 32 ms or
 * by three fifths of itself: a pause is no slow target. A second slow response in a row moves the mean by
 * half of the difference, so that a slow target is tried rarely. An error counts as at least 250 ms, so a target
 * that fails fast does not look fast, and one error moves the mean by at most 50 ms or by three fifths. The
 * mean is at most 500 ms, so it decays within 15 s also after many slow responses at once.
 *
 * After a slow response the mean does not decay before the group has sent a number of requests. This
 * number grows with the latency up to 450: trials of a target that is up to 225 ms slow add at most 0.5 ms to
 * the mean latency of the group, and a target that is 200 ms slower serves one of 400 sequential requests.
 * Without requests, no target is tried.
 */
export class Latency {
  readonly #requests: () => number
  #valueMs = 0
  #atMs = 0
  #wasSlow = false
  /** The number of requests of the group from which the mean decays. */
  #decaysFrom = 0

  /** @param requests returns the number of requests that the group of the target has sent */
  constructor(requests: () => number) {
    this.#requests = requests
  }

  /** Returns the mean in ms. */
  at(nowMs: number): number {
    if (this.#valueMs === 0 || this.#requests() < this.#decaysFrom) return this.#valueMs
    return this.#valueMs * Math.exp((this.#atMs - nowMs) / decayMs)
  }

  record(latencyMs: number, isError: boolean, nowMs: number): void {
    const valueMs = this.at(nowMs)
    const measuredMs = isError ? Math.max(latencyMs, errorPenaltyMs) : latencyMs
    const limitMs = Math.max(isError ? errorPenaltyMs : maxSampleMs, valueMs * maxRise)
    const sampleMs = Math.min(measuredMs, limitMs, maxValueMs)
    const isSlow = sampleMs > slowMs && sampleMs > valueMs * 2
    const share = isSlow && this.#wasSlow ? repeatedWeight : weight
    this.#valueMs = valueMs + share * (sampleMs - valueMs)
    this.#wasSlow = isSlow
    this.#atMs = nowMs
    // Ejection decides about errors.
    const gap = isError ? 0 : Math.min(latencyMs / trialCostMs, maxTrialGap)
    this.#decaysFrom = this.#requests() + gap
  }

  reset(): void {
    this.#valueMs = 0
    this.#wasSlow = false
    this.#decaysFrom = 0
  }
}
