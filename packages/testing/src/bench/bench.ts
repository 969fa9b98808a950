import { availableParallelism } from 'node:os'
import { type Comparison, compare } from './compare.ts'
import { NOTHING } from './contender.ts'
import { type Fleet, startFleet } from './fleet.ts'
import { findHighestRate } from './loop/highest-rate.ts'
import { type BenchOptions, parseOptions } from './options.ts'
import { comparisonJson } from './report/report-json.ts'
import { comparisonTable, headOf, isMet, type Target, targetTable } from './report/report.ts'
import { type Estimate, estimate } from './report/statistics.ts'
import { type BenchServer, startBenchServer } from './server.ts'

/** Contenders that are measured in turns; the names are those of `serveContenders`. */
interface Section {
  title: string
  contenders: string[]
  /** The contender to which the others are compared. */
  peer: string
  /** Instance processes per contender: 1 in a closed loop, 3 in an open loop. */
  instances?: number
  /** Environment variables of the instance processes. */
  env?: Record<string, string>
  /** False: no closed loop of 1 s, in which code is compiled, before the first round. */
  warmUp?: boolean
  /** Another server that the contenders use: the column of Redis then contains the CPU of both. */
  other?: { name: string; cpuUs(): Promise<number> }
}

export interface ClosedSection extends Section {
  inFlight: number
  targets?: (comparison: Comparison) => Target[]
}

export interface OpenSection extends Section {
  /** Arrivals per second and instance, instead of those of the command line. */
  rates?: number[]
  /** False for many instances: no second fleet measures the generator, so that only Redis counts. */
  generator?: boolean
  targets?: (comparison: Comparison, rate: number) => Target[]
}

export interface HighestSection extends Section {
  targets?: (comparison: Comparison) => Target[]
}

/** The highest rate is searched below this share of the instance's processor. */
const PROCESSOR_SHARE = 0.7
const PROBE_MS = 700
/** The results of the last arrivals come within this time when a contender keeps up. */
const MAX_OVERRUN_MS = 150
/** The least share of the arrivals per second that is answered within the round. */
const KEEPS_UP = 0.9

export interface Bench {
  readonly server: BenchServer
  readonly options: BenchOptions
  /** `inFlight` operations at a time, each begun when the last one ended. */
  closed(section: ClosedSection): Promise<void>
  /** Independent arrivals at a fixed rate per instance; three instances. */
  open(section: OpenSection): Promise<void>
  /** Independent arrivals at the highest rate that leaves 30 % of the processor, per contender. */
  highest(section: HighestSection): Promise<void>
  /** A measurement that is not a comparison, under the same `--only`. */
  section(title: string, work: () => Promise<Target[]>): Promise<void>
  /** Prints the targets, and ends all processes. */
  close(): Promise<void>
}

/**
 * The frame of a package's bench. A bench has two programs: `bench/X-instance.ts` calls
 * `serveContenders` with all contenders by name, and `bench/X.ts` calls `openBench` with the path of
 * that program, then `closed`, `open` and `highest` with the names to compare. All contenders of a
 * section take turns within one run, each in separate processes; a ratio is the median over the
 * rounds, with a 95 % bound. Options of the command line: see `USAGE`.
 */
export async function openBench(packageName: string, program: URL): Promise<Bench> {
  const options = parseOptions()
  const server = await startBenchServer()
  const fleets = new Map<string, Fleet>()
  const comparisons: Comparison[] = []
  const targets: Target[] = []
  const print = (text: string) => options.json || console.log(text)
  print(`${headOf(packageName, server.kind)}\n`)

  const isWanted = (title: string) =>
    options.only.length === 0 || options.only.some((part) => title.includes(part))

  /** Ends the fleets of other sections, since idle processes cost too, and starts those missing. */
  async function open(section: Section, defaultInstances: number, withGenerator: boolean) {
    const { env = {}, instances = defaultInstances, warmUp = true, other } = section
    const used = other ? withOther(server, other) : server
    const contenders = withGenerator ? [...section.contenders, NOTHING] : section.contenders
    const keyOf = (contender: string) => JSON.stringify([contender, instances, env])
    const needed = new Set(contenders.map(keyOf))
    await closeFleets((key) => !needed.has(key))
    for (const contender of contenders) {
      const key = keyOf(contender)
      if (fleets.has(key)) continue
      fleets.set(
        key,
        await startFleet({ program, contender, instances, server: used, env, warmUp }),
      )
    }
    return (contender: string) => {
      const fleet = fleets.get(keyOf(contender))
      if (!fleet) throw new Error(`${contender} was not started`)
      return fleet
    }
  }
  async function closeFleets(isOver: (key: string) => boolean) {
    for (const [key, fleet] of fleets) {
      if (!isOver(key)) continue
      fleets.delete(key)
      await fleet.close()
    }
  }
  function report(comparison: Comparison, found: Target[] = []) {
    comparisons.push(comparison)
    targets.push(...found)
    print(`${comparisonTable(comparison)}\n`)
  }

  async function closed(section: ClosedSection) {
    const { inFlight, contenders, peer } = section
    const title = `${section.title}, ${inFlight} in flight`
    if (!isWanted(title)) return
    progress(title)
    const fleetOf = await open(section, 1, false)
    const run = (fleet: Fleet) => fleet.closed({ inFlight, ms: options.closedMs })
    const { rounds } = options
    const servers = section.other && `Redis and ${section.other.name}`
    const comparison = await compare({ title, contenders, peer, rounds, run, fleetOf, servers })
    report(comparison, section.targets?.(comparison))
  }

  async function openLoop(section: OpenSection) {
    const { peer, generator = true, instances = 3 } = section
    const contenders = generator ? [...section.contenders, NOTHING] : section.contenders
    const { rounds, openMs: ms } = options
    for (const rate of section.rates ?? options.rates) {
      const title = `${section.title}, ${instances} x ${Math.round(rate)}/s`
      if (!isWanted(title)) continue
      progress(title)
      const fleetOf = await open(section, instances, generator)
      const run = (fleet: Fleet) => fleet.open({ rate, ms })
      try {
        const comparison = await compare({ title, contenders, peer, rounds, run, fleetOf })
        report(comparison, section.targets?.(comparison, rate))
        warnOfOverload(comparison, rate * instances)
      } catch (error) {
        if (!isOverload(error)) throw error
        print(`${title}: a contender does not keep up.\n`)
        targets.push(target(`${title}, keeps up`, estimate([0]), '>=', 1))
      }
    }
  }

  function warnOfOverload(comparison: Comparison, offered: number) {
    for (const name of comparison.contenders) {
      const { value } = comparison.figure(name, 'perSecond')
      if (value > KEEPS_UP * offered) continue
      print(
        `"${name}" answered ${Math.round(value)} of ${Math.round(offered)} arrivals per second:`,
      )
      print('the machine or the contender is overloaded, and these figures do not count.\n')
    }
  }

  async function highest(section: HighestSection) {
    const { contenders, peer } = section
    // Each instance and Redis need a processor; with fewer, the processors would be the limit.
    const instances = section.instances ?? (availableParallelism() > 4 ? 3 : 1)
    const title = `${section.title}, ${instances} x highest rate below ${PROCESSOR_SHARE * 100} %`
    if (!isWanted(title)) return
    progress(title)
    const fleetOf = await open(section, instances, false)
    const rates = new Map<string, number>()
    for (const name of contenders) {
      const found = await findHighestRate((rate) => probe(fleetOf(name), rate), {
        limit: PROCESSOR_SHARE,
      })
      progress(`${name}: ${found}/s`)
      rates.set(name, found)
    }
    const run = (fleet: Fleet, name: string) => openBelow(fleet, name, rates, options.openMs)
    const rounds = Math.min(options.rounds, 6)
    const comparison = await compare({ title, contenders, peer, rounds, run, fleetOf })
    report(comparison, section.targets?.(comparison))
  }

  return {
    server,
    options,
    closed,
    open: openLoop,
    highest,
    async section(title, work) {
      if (!isWanted(title)) return
      progress(title)
      await closeFleets(() => true)
      targets.push(...(await work()))
    },
    async close() {
      await closeFleets(() => true)
      await server.stop()
      if (targets.length > 0) print(targetTable(targets))
      if (!options.json) return
      const met = targets.map((line) => ({ ...line, met: isMet(line) }))
      const sections = comparisons.map(comparisonJson)
      console.log(
        JSON.stringify({ head: headOf(packageName, server.kind), sections, targets: met }),
      )
    },
  }
}

function withOther(server: BenchServer, other: { cpuUs(): Promise<number> }): BenchServer {
  return { ...server, cpuUs: async () => (await server.cpuUs()) + (await other.cpuUs()) }
}

/** A line of the report: a figure beside its target. */
export function target(
  figure: string,
  measured: Estimate,
  comparison: '<=' | '>=',
  limit: number,
): Target {
  return { figure, measured, comparison, target: limit }
}

function progress(text: string) {
  process.stderr.write(`${text}\n`)
}

/** A round at the rate that was found; the rate is lowered when the contender does not keep up. */
async function openBelow(fleet: Fleet, name: string, rates: Map<string, number>, ms: number) {
  for (;;) {
    const rate = rates.get(name) || 1
    try {
      return await fleet.open({ rate, ms })
    } catch (error) {
      if (!isOverload(error) || rate < 2) throw error
      rates.set(name, Math.floor(rate * 0.9))
    }
  }
}

async function probe(fleet: Fleet, rate: number) {
  try {
    const { utilisation, overrunMs } = await fleet.open({ rate, ms: PROBE_MS })
    return { utilisation, isKeepingUp: overrunMs < MAX_OVERRUN_MS }
  } catch (error) {
    if (isOverload(error)) return { utilisation: 1, isKeepingUp: false }
    throw error
  }
}

function isOverload(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'overload'
}
