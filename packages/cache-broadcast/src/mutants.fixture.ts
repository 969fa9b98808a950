import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** What is taken out of the program, one at a time, to see that the checker notices. */
const MUTANTS: Record<string, { file: string; edits: [find: string, put: string][] }> = {
  'no fence': {
    file: 'keeper.ts',
    edits: [['if (ticket.fence > version) return', '']],
  },
  'no tombstone': {
    file: 'cache-scripts.ts',
    edits: [["gone[#gone + 1] = string.sub(KEYS[i], 1, -2) .. 'l'", '']],
  },
  'no lease': {
    file: 'lease.ts',
    edits: [
      ['Math.max(this.untilMs, Math.min(untilMs, limitMs))', 'Number.POSITIVE_INFINITY'],
      ['this.untilMs = 0', ''],
    ],
  },
  'no gap check': {
    file: 'bus.ts',
    edits: [['onGap: resync,', 'onGap: () => undefined,']],
  },
}

/** Copies the program without one of its mechanisms; returns the copy's entry. */
export async function makeMutant(
  mutant: string,
): Promise<{ source: string; remove: () => Promise<void> }> {
  const { file, edits } = MUTANTS[mutant]!
  const folder = path.join(import.meta.dirname, '..', `.mutant-${process.pid}-${file}`)
  await mkdir(folder, { recursive: true })
  await cp(import.meta.dirname, folder, {
    recursive: true,
    filter: (from) => !/\.(test|fixture)\.ts$/.test(from),
  })
  let program = await readFile(path.join(folder, file), 'utf8')
  for (const [find, put] of edits) {
    if (program.split(find).length !== 2) throw new Error(`${file} has not one "${find}"`)
    program = program.replace(find, put)
  }
  await writeFile(path.join(folder, file), program)
  return {
    source: path.join(folder, 'index.ts'),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
