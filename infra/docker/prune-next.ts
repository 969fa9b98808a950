import { globSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/**
 * `node prune-next.ts APP_DIRECTORY BUILD_DIRECTORY`: removes from the installed package `next` every file
 * that Next's own trace of a standalone build does not list: compilers, other bundlers, source maps.
 */
const [app = '', build = ''] = process.argv.slice(2)
const next = realpathSync(join(app, 'node_modules/next'))
const traces = globSync('**/*.nft.json', { cwd: build }).map((file) => join(build, file))
const traced = new Set<string>()
for (const trace of traces) {
  const { files }: { files: string[] } = JSON.parse(readFileSync(trace, 'utf8'))
  for (const file of files) {
    const [, inside] = resolve(dirname(trace), file).split('/node_modules/next/')
    if (inside !== undefined) traced.add(inside)
  }
}
// A trace that lists next to nothing is no trace of a server.
if (traced.size < 100) throw new Error(`only ${traced.size} files of next are traced in ${build}`)

const all = globSync('**/*', { cwd: next }).filter((file) => statSync(join(next, file)).isFile())
const surplus = all.filter((file) => !traced.has(file) && file !== 'package.json')
for (const file of surplus) rmSync(join(next, file))
process.stdout.write(`next: ${all.length - surplus.length} of ${all.length} files remain\n`)
