import type { Database } from './connect.ts'
import { readOptions, refuse, requireMethods } from './options.ts'
import { account, user } from './schema.ts'

/** The users of a seeded database, for demonstrations and never for production. */
export const demo = {
  password: 'three-of-everything',
  user: { id: 'demo-user', name: 'Ada Lovelace', email: 'ada@threefold.test', role: 'user' },
  admin: { id: 'demo-admin', name: 'Grace Hopper', email: 'grace@threefold.test', role: 'admin' },
} as const

/**
 * Creates the demo user and the demo administrator. It can be repeated, also by several instances at
 * once: existing users are not changed.
 */
export async function seedDemo(
  db: Database,
  options: { hashPassword: (password: string) => Promise<string> },
): Promise<{ created: number }> {
  requireMethods('db', db, ['transaction'])
  const { hashPassword } = readOptions('options', options)
  if (typeof hashPassword !== 'function') refuse('hashPassword', 'a function')
  const password = await hashPassword(demo.password)
  const people = [demo.user, demo.admin]
  return db.transaction(async (tx) => {
    const created = await tx
      .insert(user)
      .values(people.map((person) => ({ ...person, emailVerified: true })))
      .onConflictDoNothing()
      .returning({ id: user.id })
    if (created.length > 0) {
      await tx
        .insert(account)
        .values(
          created.map(({ id }) => ({
            id: `${id}-password`,
            accountId: id,
            providerId: 'credential',
            userId: id,
            password,
          })),
        )
        .onConflictDoNothing()
    }
    return { created: created.length }
  })
}
