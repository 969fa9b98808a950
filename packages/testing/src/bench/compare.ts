import { NOTHING } from './contender.ts'
import type { Fleet, Round } from './fleet.ts'
import { type Estimate, estimate, median } from './report/statistics.ts'

export type Figure = 'perSecond' | 'clientUs' | 'redisUs' | 'p50Ms' | 'p99Ms'

export interface Comparison {
  title: string
  contenders: string[]
  peer: string
  /** The servers whose CPU is `redisUs`. */
  servers: string
  /** The estimate over all rounds of a contender. */
  figure(contender: string, figure: Figure): Estimate
  /** The estimate of the ratios to the peer (or to `to`) within each round. */
  ratio(contender: string, figure: Figure, to?: string): Estimate
  /** The extra cost of the contender beside another one, round by round. */
  difference(contender: string, figure: Figure, to?: string): Estimate
  /** As `ratio`, for the costs above a third contender: a middleware above the bare server. */
  ratioAbove(contender: string, figure: Figure, base: string, to?: string): Estimate
  /** The share of one processor that the busiest instance used, median of the rounds. */
  utilisation(contender: string): number
}

export interface CompareOptions {
  title: string
  contenders: string[]
  /** The contender to which the others are compared. */
  peer: string
  rounds: number
  run: (fleet: Fleet, contender: string) => Promise<Round>
  fleetOf: (contender: string) => Fleet
  /** The servers whose CPU a fleet measures; Redis by default. */
  servers?: string | undefined
}

/**
 * Runs the contenders in turns, `rounds` times, so that a busy machine disturbs all alike, and
 * compares each with the peer within its round. Each round begins with another contender.
 */
export async function compare(options: CompareOptions): Promise<Comparison> {
  const { title, contenders, peer, rounds, run, fleetOf, servers } = options
  const measured = new Map<string, Round[]>(contenders.map((name) => [name, []]))
  // The round before the first one warms up the path that is measured, and does not count.
  for (let round = -1; round < rounds; round += 1) {
    const start = (round + 1) % contenders.length
    const order = [...contenders.slice(start), ...contenders.slice(0, start)]
    for (const name of order) {
      const cost = await run(fleetOf(name), name)
      if (round >= 0) measured.get(name)?.push(cost)
    }
    subtractGenerator(measured, round)
  }
  return createComparison(title, peer, measured, servers)
}

/** An open loop: the generator, the idle processes and the idle Redis are no cost of a contender. */
function subtractGenerator(measured: Map<string, Round[]>, round: number) {
  const generator = measured.get(NOTHING)?.[round]
  if (!generator) return
  for (const [name, rounds] of measured) {
    const cost = rounds[round]
    if (name === NOTHING || !cost) continue
    cost.clientUs -= generator.clientUs
    cost.redisUs -= generator.redisUs
  }
}

export function createComparison(
  title: string,
  peer: string,
  measured: ReadonlyMap<string, readonly Round[]>,
  servers = 'Redis',
): Comparison {
  function roundsOf(name: string): readonly Round[] {
    const rounds = measured.get(name)
    if (!rounds) throw new Error(`"${title}" has no contender "${name}"`)
    return rounds
  }
  return {
    title,
    contenders: [...measured.keys()],
    peer,
    servers,
    figure: (name, figure) => estimate(roundsOf(name).map((round) => round[figure])),
    ratio(name, figure, to = peer) {
      const others = roundsOf(to)
      return estimate(
        roundsOf(name).map((round, i) => round[figure] / (others[i]?.[figure] ?? Number.NaN)),
      )
    },
    difference(name, figure, to = peer) {
      const others = roundsOf(to)
      return estimate(
        roundsOf(name).map((round, i) => round[figure] - (others[i]?.[figure] ?? Number.NaN)),
      )
    },
    ratioAbove(name, figure, base, to = peer) {
      const [bases, others] = [roundsOf(base), roundsOf(to)]
      return estimate(
        roundsOf(name).map((round, i) => {
          const below = bases[i]?.[figure] ?? Number.NaN
          return (round[figure] - below) / ((others[i]?.[figure] ?? Number.NaN) - below)
        }),
      )
    },
    utilisation: (name) => median(roundsOf(name).map((round) => round.utilisation)),
  }
}
