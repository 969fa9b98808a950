import { launch } from './launch.ts'
import { parseOptions, USAGE } from './terminal/options.ts'

// A terminal that was closed takes no more output; that does not end the launcher before its cluster.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

const parsed = parseOptions(process.argv.slice(2))
if (parsed.outcome === 'help') {
  process.stdout.write(USAGE)
} else if (parsed.outcome === 'invalid') {
  process.stderr.write(`${parsed.reason}\n\n${USAGE}`)
  process.exitCode = 2
} else {
  await launch(parsed.options)
}
