import { launch } from './launch.ts'
import { parseOptions, USAGE } from './options.ts'

const parsed = parseOptions(process.argv.slice(2))
if (parsed.outcome === 'help') {
  process.stdout.write(USAGE)
} else if (parsed.outcome === 'invalid') {
  process.stderr.write(`${parsed.reason}\n\n${USAGE}`)
  process.exitCode = 2
} else {
  await launch(parsed.options)
}
