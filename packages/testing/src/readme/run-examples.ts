import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Example } from './examples.ts'

const run = promisify(execFile)
const TIME_LIMIT_MS = 60_000

export interface WrittenExample extends Example {
  file: string
}

/** Writes the programs where their imports are resolved; `remove` deletes them. */
export async function writeExamples(root: string, examples: readonly Example[]) {
  const written = examples.map((example, i) => ({
    ...example,
    file: path.join(root, example.folder, `.example-${process.pid}-${i + 1}.ts`),
  }))
  await Promise.all(written.map(({ file, program }) => writeFile(file, program)))
  const remove = async () => {
    await Promise.all(written.map(({ file }) => rm(file, { force: true })))
  }
  return { written, remove }
}

/** Type-checks all programs with the settings of the repository. @returns the errors, or '' */
export async function typeCheck(root: string, written: readonly WrittenExample[]): Promise<string> {
  const project = path.join(root, `.example-${process.pid}.tsconfig.json`)
  const files = written.map(({ file }) => file)
  await writeFile(project, JSON.stringify({ extends: './tsconfig.json', files, include: [] }))
  try {
    await run(path.join(root, 'node_modules/.bin/tsc'), ['-p', project])
    return ''
  } catch (error) {
    return outputOf(error)
  } finally {
    await rm(project, { force: true })
  }
}

/**
 * Runs a program to its end.
 * @returns its output and its end, or '' when it ended with exit code 0
 */
export async function runExample(
  { file, folder }: WrittenExample,
  root: string,
  env: Record<string, string>,
): Promise<string> {
  const { PATH, HOME, TMPDIR } = process.env
  try {
    await run(process.execPath, [file], {
      cwd: path.join(root, folder),
      env: { PATH, HOME, TMPDIR, ...env },
      timeout: TIME_LIMIT_MS,
      killSignal: 'SIGKILL',
    })
    return ''
  } catch (error) {
    return outputOf(error)
  }
}

function outputOf(error: unknown): string {
  const read = (name: string) => String(Reflect.get(Object(error), name) ?? '')
  const isLate = Reflect.get(Object(error), 'killed') === true
  const end = isLate ? `it did not end within ${TIME_LIMIT_MS} ms` : `exit code ${read('code')}`
  return `${read('stdout')}${read('stderr')}${end}`
}
