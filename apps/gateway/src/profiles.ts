import { type Bus, cacheFigures, createCache } from '@repo/cache-broadcast'
import { type DatabaseConnection, schema } from '@repo/database'
import type { Metrics } from '@repo/service'
import { eq } from 'drizzle-orm'
import { z } from 'zod'

const profile = z.object({
  id: z.string(),
  name: z.string(),
  email: z.string(),
  emailVerified: z.boolean(),
  image: z.string().nullable(),
  role: z.string(),
  createdAt: z.string(),
})

/** What a person's pages show of them. */
type Profile = z.infer<typeof profile>

/** Finds a user; undefined: there is none of that id. */
export type FindProfile = (id: string) => Promise<Profile | undefined>

/**
 * People by their id, kept by every instance. The database itself tells of each change to a user,
 * whoever makes it: a trigger writes it to the outbox in the same transaction.
 */
export function createProfiles({
  bus,
  database: { db },
  metrics,
}: {
  bus: Bus
  database: DatabaseConnection
  metrics: Pick<Metrics, 'observe'>
}): FindProfile {
  const { user } = schema
  const cache = createCache({
    bus,
    name: 'profile',
    parse: (value) => profile.parse(value),
    tags: ({ id }) => [`user:${id}`],
    async load(id) {
      const [row] = await db.select().from(user).where(eq(user.id, id))
      return row && profile.parse({ ...row, createdAt: row.createdAt.toISOString() })
    },
  })
  metrics.observe(cacheFigures(cache))
  return (id) => cache.get(id)
}
