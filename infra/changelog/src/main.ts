import { existsSync } from 'node:fs'
import path from 'node:path'
import { ChangelogError, readChanges, renderChangelog } from './changelog.ts'

const root = path.join(import.meta.dirname, '../../..')
const [name = '', range = 'HEAD..upstream/main'] = process.argv.slice(2)
const folders = ['packages', 'apps', 'infra'].map((parent) => `${parent}/${name}`)
const folder = folders.find((candidate) => name !== '' && existsSync(path.join(root, candidate)))

if (folder === undefined) {
  process.stderr.write(
    `usage: pnpm changelog NAME [RANGE]; ${name ? `no package, app or folder of infra is called ${name}` : 'name a package, an app or a folder of infra'}\n`,
  )
  process.exitCode = 1
} else {
  try {
    process.stdout.write(renderChangelog(readChanges(root, folder, range)))
  } catch (error) {
    if (!(error instanceof ChangelogError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  }
}
