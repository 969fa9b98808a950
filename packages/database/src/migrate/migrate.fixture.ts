import { serveReplica } from '@repo/testing/replica'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import { Client } from 'pg'
import { migrateDatabase } from './migrate.ts'

interface Order {
  url: string
  folder: string
}

serveReplica({
  migrate: migrateDatabase,
  /** The mutant: `migrate` of drizzle, which takes no lock. */
  async migrateWithoutLock({ url, folder }: Order) {
    const client = new Client(url)
    await client.connect()
    try {
      await migrate(drizzle({ client }), { migrationsFolder: folder })
      return { applied: 0 }
    } finally {
      await client.end()
    }
  },
})
