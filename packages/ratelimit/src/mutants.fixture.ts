import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** What is taken out of the program, one at a time, to see that the attacks notice. */
const MUTANTS: Record<string, [file: string, find: string, put: string][]> = {
  'a quarter of the ring forgotten': [
    ['sliding-lua.ts', 'for p = 77, #value, 4 do', 'for p = 61, #value, 4 do'],
    ['sliding-lua.ts', 'trim(sub(value, 1, 76))', 'trim(sub(value, 1, 60))'],
  ],
  'the clock of the client': [
    ['take-script.ts', "local time = redis.call('TIME')", 'local time = { ARGV[3], 0 }'],
    ['redis-store.ts', 'keys, args)\n', 'keys, [...args, String(Date.now() / 1000)])\n'],
  ],
  'each dimension charged by itself': [
    ['take-script.ts', '(admitted < fits and admitted or fits) * cost', 'fits * cost'],
  ],
  'a count that is not written': [
    ['sliding-lua.ts', "redis.call('SETRANGE', key, '5', packBytes('<I3I4', used[k], entry))", ''],
  ],
  'leases that nobody sees': [['concurrency-lua.ts', "redis.call('ZCARD', KEYS[k + 1])", '0']],
}

/** Copies the program without one of its mechanisms; returns the copy's entry. */
export async function makeMutant(
  mutant: string,
): Promise<{ source: string; remove: () => Promise<void> }> {
  const edits = MUTANTS[mutant]!
  const folder = path.join(import.meta.dirname, '..', `.mutant-${process.pid}-${edits[0]![0]}`)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await cp(import.meta.dirname, folder, {
    recursive: true,
    filter: (from) => !/\.(test|fixture)\.ts$/.test(from),
  })
  for (const [file, find, put] of edits) {
    const program = await readFile(path.join(folder, file), 'utf8')
    if (program.split(find).length !== 2) throw new Error(`${file} has not one "${find}"`)
    await writeFile(path.join(folder, file), program.replace(find, put))
  }
  return {
    source: path.join(folder, 'index.ts'),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
