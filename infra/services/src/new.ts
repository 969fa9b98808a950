// `pnpm new service NAME`: creates a domain service that runs with several instances behind the gateway.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { renderChecklist } from './new-service/checklist.ts'
import { createService } from './new-service/create-service.ts'
import { NewServiceError } from './new-service/service-name.ts'
import { edgePort, localOffset } from './ports.ts'

const USAGE = `Usage: pnpm new service NAME [--offline]

Creates the domain service NAME in apps/NAME: routes at /api/NAME, a table with its migration, tests,
settings, and its place in the compose files, at the edge and in the documents.

  NAME        2 to 15 lowercase letters and digits, such as orders
  --offline   install only packages that are on this machine
  --help      this text

infra/services/README.md describes how to rename and remove a service.
`

const ROOT = join(import.meta.dirname, '../../..')

function main(args: string[]): number {
  const parsed = parse(args)
  if (parsed.outcome === 'help') {
    process.stdout.write(USAGE)
    return 0
  }
  if (parsed.outcome === 'invalid') {
    process.stderr.write(`${parsed.reason}\n\n${USAGE}`)
    return 2
  }
  const { name, offline } = parsed
  try {
    const { number, files } = createService(ROOT, name, { offline, onStep: printStep })
    process.stdout.write(report(name, number, files))
    return 0
  } catch (error) {
    if (!(error instanceof NewServiceError)) throw error
    process.stderr.write(`fault: ${error.message}\n`)
    return 1
  }
}

type Parsed =
  | { outcome: 'create'; name: string; offline: boolean }
  | { outcome: 'help' }
  | { outcome: 'invalid'; reason: string }

function parse(args: string[]): Parsed {
  try {
    const { positionals, values } = parseArgs({
      args: args.filter((arg) => arg !== '--'),
      allowPositionals: true,
      options: {
        offline: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) return { outcome: 'help' }
    const [kind, name, ...others] = positionals
    if (kind !== 'service') {
      return { outcome: 'invalid', reason: `the first argument must be "service"` }
    }
    if (name === undefined || others.length > 0) {
      return { outcome: 'invalid', reason: 'give one name after "service"' }
    }
    return { outcome: 'create', name, offline: values.offline }
  } catch (error) {
    return { outcome: 'invalid', reason: error instanceof Error ? error.message : String(error) }
  }
}

function printStep(title: string): void {
  process.stdout.write(`  … ${title}\n`)
}

function report(name: string, number: number, files: readonly string[]): string {
  const first = 4_000 + localOffset({ number }) + 1
  return `
Created ${name}: number ${number}, instances on port ${first} and up, in containers at edge:${edgePort({ number })}.

${files.map((file) => `  ${file}`).join('\n')}

Next
  pnpm check                        formats, layers, lint, types and generated files
  npx vitest run apps/${name}       its tests
  pnpm start                        three instances behind the gateway, at /api/${name}

Scaling checklist
${renderChecklist()}
`
}

process.exitCode = main(process.argv.slice(2))
