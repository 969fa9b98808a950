import { spawnSync } from 'node:child_process'
import { basename } from 'node:path'
import { services } from '../services.ts'
import { checkName, freeNumber, NewServiceError } from './service-name.ts'
import { writeService } from './write-service.ts'

interface Step {
  title: string
  command: readonly string[]
}

/**
 * Creates a service: its files, its place in the list, its table and migration, and all that is generated
 * from the list.
 *
 * @param offline install from the packages of this machine only
 * @returns the number of the service, and the files that were written from the template
 * @throws NewServiceError before anything is written, or with the step that failed
 */
export function createService(
  root: string,
  name: string,
  { offline, onStep }: { offline: boolean; onStep: (title: string) => void },
): { number: number; files: string[] } {
  checkName(name, services, root)
  const number = freeNumber(services)
  onStep('files')
  const files = writeService(root, name, number)
  for (const { title, command } of stepsFor(name, files, offline)) {
    onStep(title)
    const [file = '', ...args] = command
    const { status, stdout, stderr, error } = spawnSync(file, args, {
      cwd: root,
      encoding: 'utf8',
    })
    if (status !== 0) {
      const output = error ? String(error) : `${stdout}${stderr}`.trim()
      throw new NewServiceError(
        `the step "${title}" failed, and the service is incomplete:\n${output}\n` +
          'To remove it, commit or stash your other changes, then run `git restore .` and `git clean -fd apps packages`. ' +
          'Correct the cause, and run the command again',
      )
    }
  }
  return { number, files }
}

function stepsFor(name: string, files: readonly string[], offline: boolean): Step[] {
  const node = process.execPath
  const install = ['install', '--no-frozen-lockfile', offline ? '--offline' : '--prefer-offline']
  const generate = ['--filter', '@repo/database', 'exec', 'drizzle-kit', 'generate', '--name', name]
  const format = files.filter((file) => !file.endsWith('.md'))
  return [
    { title: 'packages', command: [...pnpmCommand(), ...install] },
    { title: 'migration', command: [...pnpmCommand(), ...generate] },
    { title: 'format', command: ['node_modules/.bin/oxfmt', ...format] },
    { title: 'generated files', command: [node, 'infra/services/src/generate.ts'] },
    { title: '.env.example', command: [node, 'infra/local/src/env-example.ts'] },
  ]
}

/** The command line of the pnpm that runs this program; without one, of the version in the README. */
export function pnpmCommand(): string[] {
  const program = process.env['npm_execpath'] ?? ''
  if (!basename(program).startsWith('pnpm')) return ['npx', '-y', 'pnpm@12']
  // From version 12 on, pnpm is a native program.
  return /\.[cm]?js$/.test(program) ? [process.execPath, program] : [program]
}
