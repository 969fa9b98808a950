/**
 * `pnpm bench NAME [OPTIONS]` runs the bench of a package, `pnpm bench all` those of all packages.
 * The options are those of the frame (`options.ts`).
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { findBenches } from './list.ts'
import { USAGE } from './options.ts'

const EX_USAGE = 64
const ROOT = path.join(import.meta.dirname, '../../../..')

const [wanted = '', ...options] = process.argv.slice(2)
const benches = findBenches(ROOT)
const chosen = wanted === 'all' ? benches : benches.filter(({ name }) => name === wanted)
if (chosen.length === 0) {
  const names = [...benches.map(({ name }) => name), 'all'].join(', ')
  const fault = wanted === '' ? 'A name is missing' : `No package has a bench named "${wanted}"`
  console.error(`${fault}. Names: ${names}\n\npnpm bench NAME [OPTIONS]\n${USAGE}`)
  process.exit(EX_USAGE)
}
for (const { name, folder, command } of chosen) {
  if (wanted === 'all') console.log(`## ${name}\n`)
  const [program = '', ...args] = command.split(' ')
  const file = program === 'node' ? process.execPath : program
  const child = spawn(file, [...args, ...options], {
    cwd: path.join(ROOT, folder),
    stdio: 'inherit',
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) process.exit(typeof code === 'number' ? code : 1)
  if (wanted === 'all') console.log('')
}
