export interface RateProbe {
  /** The share of one processor that the busiest instance used. */
  utilisation: number
  /** Whether the answers were as fast as the arrivals. */
  isKeepingUp: boolean
}

export interface HighestRateOptions {
  /** The share of a processor to stay below. */
  limit?: number
  firstRate?: number
  maxRate?: number
  /** Steps of bisection after the rate was doubled past the limit. */
  steps?: number
}

/**
 * The highest rate at which a contender stays below a share of its processor: doubles the rate until
 * a probe is above the limit, then bisects.
 * @returns the highest rate that passed; 0 when the first did not
 */
export async function findHighestRate(
  probe: (rate: number) => Promise<RateProbe>,
  { limit = 0.7, firstRate = 500, maxRate = 512_000, steps = 4 }: HighestRateOptions = {},
): Promise<number> {
  const passes = async (rate: number) => {
    const { utilisation, isKeepingUp } = await probe(rate)
    return isKeepingUp && utilisation < limit
  }
  let low = 0
  let high = firstRate
  while (high <= maxRate && (await passes(high))) {
    low = high
    high *= 2
  }
  if (high > maxRate) return low
  for (let step = 0; step < steps; step += 1) {
    const middle = Math.round((low + high) / 2)
    if (await passes(middle)) low = middle
    else high = middle
  }
  return low
}
