import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** What is replaced in a file of the program; it must stand there exactly once. */
export type Edit = [file: string, find: string, put: string]

/**
 * Copies a program beside itself without one of its mechanisms, to see that its tests notice.
 * @param folder the program's `src`, whose tests and fixtures stay behind
 * @throws Error when the program no longer has what an edit replaces
 */
export async function copyMutant(
  folder: string,
  name: string,
  edits: readonly Edit[],
): Promise<{ source: string; remove: () => Promise<void> }> {
  const copy = path.join(folder, '..', `.mutant-${process.pid}-${name.replaceAll(' ', '-')}`)
  await rm(copy, { recursive: true, force: true })
  await mkdir(copy, { recursive: true })
  await cp(folder, copy, {
    recursive: true,
    filter: (from) => !/\.(test|fixture)\.ts$/.test(from),
  })
  for (const [file, find, put] of edits) {
    const program = await readFile(path.join(copy, file), 'utf8')
    await writeFile(path.join(copy, file), replaceOnce(program, find, put))
  }
  return {
    source: path.join(copy, 'index.ts'),
    remove: () => rm(copy, { recursive: true, force: true }),
  }
}

/** @throws Error when it does not stand there exactly once */
export function replaceOnce(program: string, find: string, put: string): string {
  if (program.split(find).length !== 2) throw new Error(`there is not one "${find}"`)
  return program.replace(find, () => put)
}
