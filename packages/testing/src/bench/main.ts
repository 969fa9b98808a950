/**
 * `pnpm bench NAME [OPTIONS]` runs the bench of a package, `pnpm bench all` those of all packages.
 * The options are those of the frame (`options.ts`). With `--document`, the tables also replace those
 * of the package in docs/benchmarks.md.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { findBenches } from './list.ts'
import { USAGE } from './options.ts'
import { insertFigures } from './report/document.ts'

const EX_USAGE = 64
const ROOT = path.join(import.meta.dirname, '../../../..')
const DOCUMENT = path.join(ROOT, 'docs/benchmarks.md')

const [wanted = '', ...given] = process.argv.slice(2)
const isDocumented = given.includes('--document')
const options = given.filter((option) => option !== '--document')
const benches = findBenches(ROOT)
const chosen = wanted === 'all' ? benches : benches.filter(({ name }) => name === wanted)
if (chosen.length === 0) {
  const names = [...benches.map(({ name }) => name), 'all'].join(', ')
  const fault = wanted === '' ? 'A name is missing' : `No package has a bench named "${wanted}"`
  console.error(`${fault}. Names: ${names}\n\npnpm bench NAME [OPTIONS]\n${USAGE}`)
  process.exit(EX_USAGE)
}
let failed = 0
for (const { name, folder, command } of chosen) {
  const [program = '', ...args] = command.split(' ')
  const file = program === 'node' ? process.execPath : program
  const child = spawn(file, [...args, ...options], {
    cwd: path.join(ROOT, folder),
    stdio: ['inherit', 'pipe', 'inherit'],
  })
  child.stdout.pipe(process.stdout, { end: false })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  if (code !== 0) {
    console.error(`The bench of ${name} failed with exit code ${code}.`)
    failed += 1
  } else if (isDocumented) {
    writeFileSync(DOCUMENT, insertFigures(readFileSync(DOCUMENT, 'utf8'), name, output))
  }
}
process.exitCode = failed > 0 ? 1 : 0
