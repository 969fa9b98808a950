import { existsSync } from 'node:fs'
import path from 'node:path'
import { readChanges, renderChangelog } from './changelog.ts'

const root = path.join(import.meta.dirname, '../../..')
const [name = '', range = 'HEAD..upstream/main'] = process.argv.slice(2)
const folders = ['packages', 'apps', 'infra'].map((parent) => `${parent}/${name}`)
const folder = folders.find((candidate) => name !== '' && existsSync(path.join(root, candidate)))

if (folder === undefined) {
  process.stderr.write(`usage: pnpm changelog PACKAGE [RANGE]; no package ${name || 'was named'}\n`)
  process.exitCode = 1
} else {
  process.stdout.write(renderChangelog(readChanges(root, folder, range)))
}
