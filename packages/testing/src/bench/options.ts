import { parseArgs } from 'node:util'

export interface BenchOptions {
  /** Parts of titles of sections; empty: all sections. */
  only: string[]
  rounds: number
  /** Length of one round: closed loop, and open loop. */
  closedMs: number
  openMs: number
  /** Arrivals per second and instance of the open loops. */
  rates: number[]
  json: boolean
}

export const USAGE = `Options:
  --only TEXT          only the sections whose title contains the text; may be repeated
  --rounds N           rounds per contender (default 7; at least 6 for a 95 % bound)
  --ms N               length of each round, closed and open loop (default 300 and 800)
  --rate N[,N]         arrivals per second and instance in open loops (default 200,1000)
  --json               the result as JSON instead of tables
  --document           the tables also replace those of docs/benchmarks.md (pnpm bench only)`

/** @throws Error that names the option */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      ms: { type: 'string' },
      rate: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const ms = values.ms === undefined ? undefined : positive('--ms', values.ms)
  return {
    only: values.only ?? [],
    rounds: Math.ceil(positive('--rounds', values.rounds ?? '7')),
    closedMs: ms ?? 300,
    openMs: ms ?? 800,
    rates: (values.rate ?? '200,1000').split(',').map((rate) => positive('--rate', rate)),
    json: values.json,
  }
}

/**
 * Returns the options of the command line of a bench. A fault in them is printed with the usage, and ends
 * the process with 64.
 */
export function parseOptions(): BenchOptions {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`)
    process.exit(64)
  }
}

function positive(option: string, text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw new Error(`${option} must be a number above 0, and is "${text}"`)
}
