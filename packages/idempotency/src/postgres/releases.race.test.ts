import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { copyMutant, expect, test } from '@repo/testing'
import { fingerprintOf } from '../fingerprint.ts'
import { createOnce } from '../once.ts'
import type { Attempt, StoredResponse } from '../types.ts'
import { connect, countEffects, prepare, writeEffect } from './open.fixture.ts'
import { ROOT } from './payers.fixture.ts'
import { postgresStore } from './postgres-store.ts'

const request = (key: string) => ({
  scope: 'user',
  key,
  fingerprint: fingerprintOf({ method: 'POST', target: '/pay', body: Buffer.from(key) }),
})

const pay = (key: string) => (attempt: Attempt) =>
  attempt.transaction(async (tx): Promise<StoredResponse> => {
    await writeEffect(tx, key)
    return { status: 201, headers: [], body: Buffer.from(key) }
  })

test.for(['row', 'lock'] as const)(
  'in the mode %s, two releases with different formats of records make each payment once, and never replay a format that they cannot read',
  async (claim, { databaseUrl }) => {
    await prepare(databaseUrl)
    const database = connect(databaseUrl, 'releases')
    const edits: [string, string, string][] = [['record.ts', 'const PLAIN = 1', 'const PLAIN = 9']]
    const later = await copyMutant(fileURLToPath(ROOT), `a later format ${claim}`, edits)
    const library: { createOnce: typeof createOnce } = await import(later.source)
    const store = postgresStore({ db: database.db, claim })
    const releases = [createOnce({ store }), library.createOnce({ store })] as const
    const [older, newer] = releases
    for (const [first, second] of [
      [older, newer],
      [newer, older],
    ] as const) {
      const key = randomUUID()
      const made = await first.run(request(key), pay(key))
      expect(made.outcome).toBe('fresh')
      const refused = second.run(request(key), pay(key))
      await expect(refused).rejects.toMatchObject({ code: 'unknown-format' })
      const replay = await first.run(request(key), pay(key))
      expect(replay).toMatchObject({ response: { body: Buffer.from(key) } })
      expect(await countEffects(database, key)).toBe(1)
    }

    // Both releases race for keys of which neither has a record.
    const keys = Array.from({ length: 20 }, () => randomUUID())
    await Promise.all(
      keys.flatMap((key) =>
        Array.from({ length: 6 }, (_, i) =>
          releases[i % 2 === 0 ? 0 : 1].run(request(key), pay(key)).catch((error: unknown) => {
            expect(error).toMatchObject({ code: 'unknown-format' })
          }),
        ),
      ),
    )
    for (const key of keys) expect(await countEffects(database, key)).toBe(1)
    await later.remove()
    await database.close()
  },
)
