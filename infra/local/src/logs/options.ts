import { parseArgs } from 'node:util'

/** From the lowest to the highest. */
export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type Level = (typeof LEVELS)[number]

/** The request id is a UUIDv7 or a text of at least 8 characters; a trace id has 32 digits. */
const MIN_ID_CHARS = 8

/** The lines that are wanted. Each filter that is undefined or empty accepts all lines. */
export interface Filter {
  /** The beginning of a request id or of a trace id. */
  id: string | undefined
  /** Names of instances (`gateway-2`) or of apps (`gateway`). */
  instances: readonly string[]
  /** The lowest level. */
  level: Level
}

export interface Options {
  filter: Filter
  follow: boolean
  json: boolean
}

export type ParsedOptions =
  | { outcome: 'run'; options: Options }
  | { outcome: 'help' }
  | { outcome: 'invalid'; reason: string }

export const USAGE = `Usage: pnpm logs [ID] [options]

Prints the log lines of all instances of the local cluster in the order of their time.

  ID                    a request id (X-Request-Id), a trace id or a traceparent; its first
                        8 characters are enough
  -i, --instance NAME   only this instance (gateway-2) or app (gateway); may be repeated
  -l, --level LEVEL     only lines of this level or above: ${LEVELS.join(', ')}
  -f, --follow          also prints lines that are written from now on, until Ctrl-C
  --json                the lines as they are in the files, for programs
  --help                this text

Exit code 0: lines were found; 1: no line, or no cluster was started; 2: an option cannot be used.
`

/** Reads the command line. A fault is one line. */
export function parseOptions(argv: string[]): ParsedOptions {
  try {
    const { values, positionals } = parseArgs({
      args: argv.filter((arg) => arg !== '--'),
      allowPositionals: true,
      options: {
        instance: { type: 'string', short: 'i', multiple: true, default: [] },
        level: { type: 'string', short: 'l', default: 'trace' },
        follow: { type: 'boolean', short: 'f', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) return { outcome: 'help' }
    if (positionals.length > 1) throw new Error(`one ID at a time, not ${positionals.length}`)
    const level = LEVELS.find((each) => each === values.level)
    if (!level) throw new Error(`--level ${values.level}: there is ${LEVELS.join(', ')}`)
    const [given] = positionals
    const id = given === undefined ? undefined : idOf(given)
    const filter = { id, instances: values.instance, level }
    return { outcome: 'run', options: { filter, follow: values.follow, json: values.json } }
  } catch (error) {
    return { outcome: 'invalid', reason: error instanceof Error ? error.message : String(error) }
  }
}

function idOf(text: string): string {
  const traceId = /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(text)?.[1]
  const id = traceId ?? text
  if (id.length < MIN_ID_CHARS) {
    throw new Error(`the ID ${id} has ${id.length} characters: give at least ${MIN_ID_CHARS}`)
  }
  return id
}
