import { setTimeout as wait } from 'node:timers/promises'
import { type MonitorOptions, parseMonitorOptions, USAGE } from './options.ts'
import { createSite, type Site, UnreadableError } from './site.ts'
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
  let code = await readOnce(site, parsed.options, context)
  if (everySeconds !== undefined) {
    while (!context.signal.aborted) {
      await wait(everySeconds * 1_000, undefined, { signal: context.signal }).catch(() => undefined)
      if (!context.signal.aborted) code = await readOnce(site, parsed.options, context)
    }
  }
  // The session ends by itself later if the site is unreachable now.
  await site.close().catch(() => undefined)
  return code
}

async function readOnce(
  site: Site,
  { origin, json }: MonitorOptions,
  { out, error: fail }: MonitorContext,
): Promise<number> {
  const time = new Date().toISOString()
  try {
    const verdicts = verdictsOf(await site.read())
    const crossed = verdicts.filter(({ isCrossed }) => isCrossed).length
    if (json) out(`${JSON.stringify({ time, origin, crossed, verdicts })}\n`)
    else
      out(
        `${origin} at ${time}, figures since the start of the instances\n\n${tableOf(verdicts)}\n\n${summaryOf(crossed)}\n`,
      )
    return crossed === 0 ? CODES.fine : CODES.crossed
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error
    if (json) out(`${JSON.stringify({ time, origin, error: error.message })}\n`)
    else fail(`${error.message}\n`)
    return CODES.unreadable
  }
}

function summaryOf(crossed: number): string {
  if (crossed === 0) return 'All thresholds hold.'
  return `${crossed} ${crossed === 1 ? 'threshold is' : 'thresholds are'} crossed: docs/runbooks.md has the next steps.`
}
