import { parseArgs } from 'node:util'

export interface MonitorOptions {
  /** The origin of the site, without a path. */
  origin: string
  email: string
  password: string
  json: boolean
  /** The seconds between two readings; undefined for one reading. */
  everySeconds: number | undefined
}

export type ParsedOptions =
  | { outcome: 'run'; options: MonitorOptions }
  | { outcome: 'help' }
  | { outcome: 'invalid'; reason: string }

export const USAGE = `Usage: pnpm monitor <origin> [options]

Signs in as an administrator, reads the figures of all instances, and compares them with thresholds. The
figures are totals and averages since the start of the instances. With --watch, each reading after the
first one has those since the reading before it.

  --watch [seconds]  read again and again, every 60 seconds by default, until Ctrl-C
  --json             one JSON object per reading
  --help             this text

MONITOR_EMAIL and MONITOR_PASSWORD are the sign-in of an administrator.
Exit code: 0 all is well, 1 a threshold is crossed, 2 the figures cannot be read, 64 a wrong option.
`

const DEFAULT_SECONDS = 60

/** Reads the command line and the two settings. A fault is one line. */
export function parseMonitorOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ParsedOptions {
  try {
    const { values, positionals } = parseArgs({
      args: args.filter((arg) => arg !== '--'),
      allowPositionals: true,
      options: {
        watch: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) return { outcome: 'help' }
    const [origin, seconds, ...others] = positionals
    if (origin === undefined) throw new Error('the origin of the site is missing')
    if (others.length > 0 || (seconds !== undefined && !values.watch)) {
      throw new Error(`"${others[0] ?? seconds}" is no option`)
    }
    const { MONITOR_EMAIL: email = '', MONITOR_PASSWORD: password = '' } = env
    if (email === '' || password === '') {
      throw new Error('MONITOR_EMAIL and MONITOR_PASSWORD must be the sign-in of an administrator')
    }
    const everySeconds = values.watch ? readSeconds(seconds) : undefined
    return {
      outcome: 'run',
      options: { origin: readOrigin(origin), email, password, json: values.json, everySeconds },
    }
  } catch (error) {
    return { outcome: 'invalid', reason: error instanceof Error ? error.message : String(error) }
  }
}

function readOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`) {
    throw new Error(`"${text}" is no origin, such as https://shop.example.com`)
  }
  return url.origin
}

function readSeconds(text = String(DEFAULT_SECONDS)): number {
  const seconds = Number(text)
  if (!(seconds >= 1 && seconds <= 86_400)) {
    throw new Error(`--watch ${text}: must be a number of seconds from 1 to 86400`)
  }
  return seconds
}
