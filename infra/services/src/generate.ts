// `pnpm generate` writes the files that the list of services decides. With --check it writes nothing, and
// exits with 1 when a file is out of date.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generatedFiles } from './generate/generated-files.ts'
import { services } from './services.ts'

const root = join(import.meta.dirname, '../../..')
const outdated = generatedFiles(root, services).filter(
  ({ current, expected }) => current !== expected,
)
const paths = outdated.map(({ path }) => path)
if (process.argv.includes('--check')) {
  for (const path of paths) {
    process.stderr.write(
      `${path} differs from infra/services/src/services.ts: run \`pnpm generate\`\n`,
    )
  }
  process.exitCode = paths.length === 0 ? 0 : 1
} else {
  for (const { path, expected } of outdated) writeFileSync(join(root, path), expected)
  process.stdout.write(`${paths.length === 0 ? 'Nothing has changed.' : paths.join('\n')}\n`)
}
