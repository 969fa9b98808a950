// `pnpm logs [ID]`: prints the log lines of all instances of the local cluster by their time.
import { join } from 'node:path'
import { parseOptions, USAGE } from './logs/options.ts'
import { LogsError, printLogs } from './logs/print-logs.ts'
import { STATE } from './state/state.ts'

const ended = new AbortController()
// The reader has ended, as in `pnpm logs | head`.
process.stdout.on('error', () => process.exit(0))
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => ended.abort())

const parsed = parseOptions(process.argv.slice(2))
if (parsed.outcome === 'help') {
  process.stdout.write(USAGE)
} else if (parsed.outcome === 'invalid') {
  process.stderr.write(`${parsed.reason}\n\n${USAGE}`)
  process.exitCode = 2
} else {
  const { options } = parsed
  const place = { folder: join(STATE, 'logs'), out: process.stdout, signal: ended.signal }
  try {
    const { lines, requests } = await printLogs(options, place)
    if (lines === 0 && !options.follow) fail('no line of the logs matches')
    if (requests.size > 1 && !options.json) {
      process.stderr.write(`${requests.size} requests match ${options.filter.id}\n`)
    }
  } catch (error) {
    if (!(error instanceof LogsError)) throw error
    fail(error.message)
  }
}

function fail(message: string): void {
  process.stderr.write(`fault: ${message}\n`)
  process.exitCode = 1
}
