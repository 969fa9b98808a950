import { setTimeout as wait } from 'node:timers/promises'
import { between } from './interval.ts'
import { type MonitorOptions, parseMonitorOptions, USAGE } from './options.ts'
import { createSite, type Reading, type Site, UnreadableError } from './site.ts'
import { tableOf, verdictsOf } from './verdicts.ts'

/** The streams and the environment of the command. */
export interface MonitorContext {
  env: Readonly<Record<string, string | undefined>>
  out: (text: string) => void
  error: (text: string) => void
  /** Ends `--watch`. */
  signal: AbortSignal
}

const CODES = { fine: 0, crossed: 1, unreadable: 2, usage: 64 } as const

/** Runs `pnpm monitor`. Returns the exit code; with `--watch`, that of the last reading. */
export async function monitor(args: readonly string[], context: MonitorContext): Promise<number> {
  const parsed = parseMonitorOptions(args, context.env)
  if (parsed.outcome === 'help') {
    context.out(USAGE)
    return CODES.fine
  }
  if (parsed.outcome === 'invalid') {
    context.error(`${parsed.reason}\n\n${USAGE}`)
    return CODES.usage
  }
  const { everySeconds } = parsed.options
  const site = createSite(parsed.options)
  const readings = createReadings(site, parsed.options, context)
  let code = await readings.next()
  if (everySeconds !== undefined) {
    while (!context.signal.aborted) {
      await wait(everySeconds * 1_000, undefined, { signal: context.signal }).catch(() => undefined)
      if (!context.signal.aborted) code = await readings.next()
    }
  }
  // The session ends by itself later if the site is unreachable now.
  await site.close().catch(() => undefined)
  return code
}

/** Readings of a site: the first one since the start of the figures, later ones since the last one. */
function createReadings(
  site: Site,
  { origin, json }: MonitorOptions,
  { out, error: fail }: MonitorContext,
) {
  let last: Reading | undefined

  function print(reading: Reading): number {
    const time = new Date().toISOString()
    const interval = last && between(last, reading)
    const verdicts = verdictsOf(interval ?? reading)
    const crossed = verdicts.filter(({ isCrossed }) => isCrossed).length
    const ms = interval?.figures.authentication.uptime.milliseconds
    const seconds = ms === undefined ? null : Math.round(ms / 1_000)
    if (json) out(`${JSON.stringify({ time, origin, seconds, crossed, verdicts })}\n`)
    else {
      const head = `${origin} at ${time}, ${periodOf(seconds, last !== undefined)}`
      out(`${head}\n\n${tableOf(verdicts)}\n\n${summaryOf(crossed)}\n`)
    }
    last = reading
    return crossed === 0 ? CODES.fine : CODES.crossed
  }

  return {
    async next(): Promise<number> {
      try {
        return print(await site.read())
      } catch (error) {
        if (!(error instanceof UnreadableError)) throw error
        const time = new Date().toISOString()
        if (json) out(`${JSON.stringify({ time, origin, error: error.message })}\n`)
        else fail(`${error.message}\n`)
        return CODES.unreadable
      }
    },
  }
}

function periodOf(seconds: number | null, hasLast: boolean): string {
  if (seconds !== null) return `figures of the last ${seconds} s`
  const start = 'figures since the start of the instances'
  return hasLast
    ? `${start}, because the counters were reset or are those of other instances`
    : start
}

function summaryOf(crossed: number): string {
  if (crossed === 0) return 'All thresholds hold.'
  return `${crossed} ${crossed === 1 ? 'threshold is' : 'thresholds are'} crossed: docs/runbooks.md has the next steps.`
}
