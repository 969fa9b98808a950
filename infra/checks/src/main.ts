import path from 'node:path'
import { parseArgs } from 'node:util'
import { checkDocs } from './docs/check-docs.ts'
import { checkLanguage } from './language/check-language.ts'
import type { Report } from './report.ts'
import { checkStructure } from './structure/check-structure.ts'

const root = path.join(import.meta.dirname, '../../..')
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { package: { type: 'string' } },
})

const checks = new Map<string, () => Report>([
  ['docs', () => checkDocs(root)],
  ['language', () => checkLanguage(root, values.package)],
  ['structure', () => checkStructure(root)],
])
const check = checks.get(positionals[0] ?? '')
const usage = `usage: node infra/checks/src/main.ts ${[...checks.keys()].join('|')} [--package NAME]`
const { lines, isFailed } = check?.() ?? { lines: [usage], isFailed: true }
process.stdout.write(`${lines.join('\n')}\n`)
if (isFailed) process.exitCode = 1
