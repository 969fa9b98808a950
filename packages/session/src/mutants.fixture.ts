import type { DatabaseConnection } from '@repo/database'
import { copyMutant, type Edit, replaceOnce } from '@repo/testing'

/** The mechanisms that a mutant lacks, one at a time. The race tests must detect each mutant. */
const PROGRAMS = {
  'no positions': [
    [
      'revoke/recent-revocations.ts',
      'hasBegun && n >= floor && isValidAt(key, n) && isValidAt(userTag(userId), n)',
      'true',
    ],
  ],
  'no lease': [
    [
      'revoke/trust.ts',
      'lease.lapses === trustedAt && clock.turn() < lease.untilMs',
      'trustedAt > 0',
    ],
  ],
  'no outage rule': [
    ['revoke/trust.ts', 'lease.lapses === trustedAt && clock.turn()', 'clock.turn()'],
  ],
  'no round trip': [
    [
      'revoke/trust.ts',
      'if (!(await link.renew(look.foundAtMs))) return false',
      'Object.assign(lease, { untilMs: clock.exact() + 1_000 })',
    ],
    ['revoke/trust.ts', 'askedAtMs > link.joinedAtMs() && ', ''],
    ['revoke/trust.ts', 'link.joinedAtMs() > nowMs || ', ''],
  ],
  'an old look': [['revoke/trust.ts', 'clock.exact() - askedAtMs < LOOK_MS', 'true']],
  'no wait for the instances': [['revoke/settle.ts', "confirm && 'everywhere'", 'undefined']],
} satisfies Record<string, Edit[]>

/** The mechanisms that a function of the database lacks. */
const FUNCTIONS = {
  'no lock at a sign-in': ['credential_admit', 'FOR NO KEY UPDATE', ''],
  'a ban that ends nothing': [
    'session_user_changed',
    'DELETE FROM session WHERE user_id = NEW.id OR impersonated_by = NEW.id',
    'NULL',
  ],
  'a demotion that ends nothing': ['session_user_changed', 'NEW.role <> OLD.role', 'false'],
  'a sign-out without a message': ['session_ended', 'HAVING count(*) > 0', 'HAVING false'],
} satisfies Record<string, [name: string, find: string, put: string]>

/** Copies the program without one of its mechanisms, and returns the entry of the copy. */
export function makeMutant(mutant: keyof typeof PROGRAMS) {
  return copyMutant(import.meta.dirname, mutant, PROGRAMS[mutant])
}

/** Replaces a function of the database by one without a mechanism, and returns a function that restores it. */
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
