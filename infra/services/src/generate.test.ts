import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { generatedFiles } from './generate/generated-files.ts'
import { services } from './services.ts'

const ROOT = join(import.meta.dirname, '../../..')

/** The files that the program reads and writes. */
function repository(): string {
  const root = mkdtempSync(join(tmpdir(), 'generate-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const generated = generatedFiles(ROOT, services).map(({ path }) => path)
  const manifests = globSync('{apps,packages,infra}/*/package.json', { cwd: ROOT })
  for (const file of [...generated, ...manifests, 'infra/services/src']) {
    cpSync(join(ROOT, file), join(root, file), { recursive: true })
  }
  // The program imports the endpoints of `packages/api`.
  const libraries = 'infra/services/node_modules'
  symlinkSync(join(ROOT, libraries), join(root, libraries))
  return root
}

function generate(root: string, ...args: string[]) {
  const program = join(root, 'infra/services/src/generate.ts')
  const { status, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' })
  return { status, stderr }
}

test('`pnpm check:generated` fails and names each file that differs from the list, until `pnpm generate` writes it', () => {
  const root = repository()
  expect(generate(root, '--check')).toEqual({ status: 0, stderr: '' })
  const nginx = join(root, 'infra/edge/nginx.conf')
  const text = readFileSync(nginx, 'utf8')
  writeFileSync(nginx, text.replace('payments:3004', 'payments:3005'))
  appendFileSync(join(root, 'apps/gateway/src/upstreams/services.ts'), '// by hand\n')
  const faults = ['infra/edge/nginx.conf', 'apps/gateway/src/upstreams/services.ts'].map(
    (file) => `${file} differs from infra/services/src/services.ts: run \`pnpm generate\`\n`,
  )
  expect(generate(root, '--check')).toEqual({ status: 1, stderr: faults.join('') })
  expect(generate(root)).toEqual({ status: 0, stderr: '' })
  expect(readFileSync(nginx, 'utf8')).toBe(text)
  expect(generate(root, '--check')).toEqual({ status: 0, stderr: '' })
})
