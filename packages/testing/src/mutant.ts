import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** A replacement in a file of the program, which must contain `find` exactly once. */
export type Edit = [file: string, find: string, put: string]

/**
 * Copies a program beside itself without one of its mechanisms, to verify that its tests detect it.
 * @param folder the program's `src`, without its tests and fixtures
 * @throws Error when the program does not contain the text of an edit
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

/** @throws Error when the program does not contain `find` exactly once */
export function replaceOnce(program: string, find: string, put: string): string {
  if (program.split(find).length !== 2) throw new Error(`there is not one "${find}"`)
  return program.replace(find, () => put)
}
