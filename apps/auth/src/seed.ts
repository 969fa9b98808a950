import { demo, migrateDatabase, openDatabase, seedDemo } from '@repo/database'
import { createLog } from '@repo/observability'
import { databaseHost, databaseSettings, readEnv } from '@repo/service'
import { hashPassword } from 'better-auth/crypto'
import { z } from 'zod'

/**
 * `node src/seed.ts` migrates the schema and, with `DEMO=true`, creates the demo users. It can be
 * repeated. One of them is an administrator with a public password, so the default creates no
 * users.
 */
const env = readEnv({ ...databaseSettings, DEMO: z.stringbool().default(false) })
const log = createLog({ app: 'seed', instance: 'seed', version: '' })
try {
  const { applied } = await migrateDatabase({ url: env.DATABASE_URL, waitMs: 5_000 })
  log.info({ event: 'migrated', applied }, `applied ${applied} migration(s)`)
  if (env.DEMO) await createDemoUsers()
} catch (error) {
  const host = databaseHost(env.DATABASE_URL)
  const reason = error instanceof Error ? error.message || error.name : String(error)
  log.fatal({ event: 'boot.failed', err: error }, 'the database cannot be used')
  process.stderr.write(`DATABASE_URL: PostgreSQL at ${host} cannot be used: ${reason}\n`)
  process.exitCode = 1
}

async function createDemoUsers() {
  const settings = { ...env, MIGRATE_ON_BOOT: false, DATABASE_INSTANCES: env.DATABASE_CONNECTIONS }
  const database = await openDatabase({ env: settings, name: 'seed', log })
  const { created } = await seedDemo(database.db, { hashPassword })
  await database.close()
  log.info({ event: 'seeded', created }, `sign in as ${demo.user.email}`)
}
