import type { DatabaseConnection } from '@repo/database'
import { copyMutant, type Edit, replaceOnce } from '@repo/testing'

/** What is taken out of the program, one at a time, to see that the races notice. */
const PROGRAMS = {
  'no positions': [
    [
      'revoke/recent-revocations.ts',
      'begun && n >= floor && standsAt(key, n) && standsAt(userTag(userId), n)',
      'true',
    ],
  ],
  'no lease': [
    [
      'revoke/trust.ts',
      'lease.lapses === drainedAt && clock.turn() < lease.untilMs',
      'drainedAt > 0',
    ],
  ],
  'no outage rule': [
    ['revoke/trust.ts', 'lease.lapses === drainedAt && clock.turn()', 'clock.turn()'],
  ],
  'nobody is waited for': [['revoke/settle.ts', "confirm && 'everywhere'", 'undefined']],
} satisfies Record<string, Edit[]>

/** What is taken out of the database's functions. */
const FUNCTIONS = {
  'no lock at a sign-in': ['credential_admit', 'FOR NO KEY UPDATE', ''],
  'a ban that ends nothing': [
    'session_user_changed',
    'DELETE FROM session WHERE user_id = NEW.id OR impersonated_by = NEW.id',
    'NULL',
  ],
  'a demotion that ends nothing': ['session_user_changed', 'NEW.role <> OLD.role', 'false'],
  'a sign-out that nobody is told of': ['session_ended', 'HAVING count(*) > 0', 'HAVING false'],
} satisfies Record<string, [name: string, find: string, put: string]>

/** Copies the program without one of its mechanisms; returns the copy's entry. */
export function makeMutant(mutant: keyof typeof PROGRAMS) {
  return copyMutant(import.meta.dirname, mutant, PROGRAMS[mutant])
}

/** Replaces a function of the database by one without a mechanism; returns how to mend it. */
export async function mutate({ pool }: DatabaseConnection, mutant: keyof typeof FUNCTIONS) {
  const [name, find, put] = FUNCTIONS[mutant]
  const { rows } = await pool.query<{ definition: string }>(
    'select pg_get_functiondef($1::regproc) as definition',
    [name],
  )
  const definition = rows[0]?.definition ?? ''
  await pool.query(replaceOnce(definition, find, put))
  return () => pool.query(definition)
}
