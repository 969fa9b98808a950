import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createService } from './create-service.ts'
import { NewServiceError } from './service-name.ts'
import { writeService } from './write-service.ts'

const ROOT = join(import.meta.dirname, '../../../..')
const LIST = 'infra/services/src/services.ts'
const LISTS = [
  LIST,
  'packages/database/drizzle.config.ts',
  'packages/database/src/schema.ts',
  'packages/api/src/index.ts',
  'packages/api/src/endpoints.ts',
]

/** A repository that has only the files to which a new service is added. */
function repository(): string {
  const root = mkdtempSync(join(tmpdir(), 'create-service-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  for (const file of LISTS) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    cpSync(join(ROOT, file), join(root, file))
  }
  return root
}

test('a new service is added to five lists, and has no placeholder of the template', () => {
  const root = repository()
  const files = writeService(root, 'orders', 6)
  expect(files).toEqual(expect.arrayContaining([...LISTS, 'apps/orders/src/main.ts']))
  for (const file of files) {
    expect(readFileSync(join(root, file), 'utf8'), file).not.toMatch(/__(name|Name|path)__/)
  }
  for (const file of LISTS) expect(readFileSync(join(root, file), 'utf8'), file).toMatch(/orders/)
})

test('a list in an unexpected form is an error that names the missing line, and no file is written', () => {
  const root = repository()
  writeFileSync(join(root, LIST), 'export const services = []\n')
  expect(() => writeService(root, 'orders', 6)).toThrow(
    new NewServiceError(
      `${LIST} has no line "] as const satisfies readonly Service[]", before which the new service belongs: restore the line`,
    ),
  )
  expect(existsSync(join(root, 'apps'))).toBe(false)
})

test('a step that fails is an error with its output and the commands that remove the service', () => {
  const root = repository()
  const program = join(root, 'pnpm.cjs')
  writeFileSync(program, "console.error('no space is left'); process.exit(3)")
  vi.stubEnv('npm_execpath', program)
  onTestFinished(() => void vi.unstubAllEnvs())
  const steps: string[] = []
  const create = () =>
    createService(root, 'orders', { offline: true, onStep: (title) => steps.push(title) })
  expect(create).toThrow(
    /^the step "packages" failed, and the service is incomplete:\nno space is left\n.*commit or stash.*`git restore \.`/,
  )
  expect(steps).toEqual(['files', 'packages'])
})
