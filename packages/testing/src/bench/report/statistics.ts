/** The value below which `share` of the values are, by the nearest rank. */
export function percentile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).toSorted()
  const rank = Math.ceil(share * sorted.length)
  return sorted[Math.min(Math.max(rank, 1), sorted.length) - 1] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

export interface Estimate {
  /** The median of the rounds. */
  value: number
  /** Bounds of the median with a confidence of at least 95 %; the bounds of all rounds when there are fewer than 6. */
  low: number
  high: number
  /** The distance of the farther bound from the median, in percent of the median. */
  spreadPercent: number
}

/**
 * The median with a 95 % bound by order statistics: no assumption about the distribution. The k-th
 * smallest and the k-th largest value enclose the median unless fewer than k of n fair coins show
 * one side (David and Nagaraja, Order Statistics, 7.1).
 */
export function estimate(values: readonly number[]): Estimate {
  const sorted = values.toSorted((a, b) => a - b)
  const value = median(sorted)
  const trimmed = outsideBound(sorted.length)
  const low = sorted[trimmed] ?? Number.NaN
  const high = sorted[sorted.length - 1 - trimmed] ?? Number.NaN
  const spreadPercent = (Math.max(high - value, value - low) / Math.abs(value)) * 100
  return { value, low, high, spreadPercent }
}

/** The number of values to leave out at each end, so that the rest encloses the median in 95 %. */
export function outsideBound(n: number): number {
  let tail = 0
  let term = 0.5 ** n
  let k = 0
  while (k < n / 2) {
    tail += term
    if (tail * 2 > 0.05) break
    term *= (n - k) / (k + 1)
    k += 1
  }
  return Math.max(0, k - 1)
}
