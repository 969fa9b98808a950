import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { DatabaseConnection } from '@repo/database'

/** What is taken out of the program, one at a time, to see that the races notice. */
const PROGRAMS = {
  'no positions': {
    file: 'revocations.ts',
    edits: [['begun && n >= floor && standsAt(key, n) && standsAt(userTag(userId), n)', 'true']],
  },
  'no lease': {
    file: 'trust.ts',
    edits: [['lease.lapses === drainedAt && clock.turn() < lease.untilMs', 'drainedAt > 0']],
  },
  'no outage rule': {
    file: 'trust.ts',
    edits: [['lease.lapses === drainedAt && clock.turn()', 'clock.turn()']],
  },
  'nobody is waited for': {
    file: 'settle.ts',
    edits: [["confirm && 'everywhere'", 'undefined']],
  },
} satisfies Record<string, { file: string; edits: [find: string, put: string][] }>

/** What is taken out of the database's functions. */
const FUNCTIONS = {
  'no lock at a sign-in': ['session_admit', 'FOR NO KEY UPDATE', ''],
  'a ban that ends nothing': [
    'session_user_changed',
    'DELETE FROM session WHERE user_id = NEW.id',
    'NULL',
  ],
  'a sign-out that nobody is told of': ['session_ended', 'HAVING count(*) > 0', 'HAVING false'],
} satisfies Record<string, [name: string, find: string, put: string]>

/** Copies the program without one of its mechanisms; returns the copy's entry. */
export async function makeMutant(mutant: keyof typeof PROGRAMS) {
  const { file, edits } = PROGRAMS[mutant]
  const name = mutant.replaceAll(' ', '-')
  const folder = path.join(import.meta.dirname, '..', `.mutant-${process.pid}-${name}`)
  await mkdir(folder, { recursive: true })
  await cp(import.meta.dirname, folder, {
    recursive: true,
    filter: (from) => !/\.(test|fixture)\.ts$/.test(from),
  })
  let program = await readFile(path.join(folder, file), 'utf8')
  for (const [find, put] of edits) {
    if (find === undefined || put === undefined) throw new TypeError('an edit is a pair')
    program = edit(program, find, put)
  }
  await writeFile(path.join(folder, file), program)
  return {
    source: path.join(folder, 'index.ts'),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** Replaces a function of the database by one without a mechanism; returns how to mend it. */
export async function mutate({ pool }: DatabaseConnection, mutant: keyof typeof FUNCTIONS) {
  const [name, find, put] = FUNCTIONS[mutant]
  const { rows } = await pool.query<{ definition: string }>(
    'select pg_get_functiondef($1::regproc) as definition',
    [name],
  )
  const definition = rows[0]?.definition ?? ''
  await pool.query(edit(definition, find, put))
  return () => pool.query(definition)
}

function edit(program: string, find: string, put: string): string {
  if (program.split(find).length !== 2) throw new Error(`there is not one "${find}"`)
  return program.replace(find, () => put)
}
