import { type Bus, cacheFigures, createCache } from '@repo/cache-broadcast'
import { type DatabaseConnection, schema } from '@repo/database'
import type { Metrics } from '@repo/observability'
import { boundEmail, boundName } from '@repo/session'
import { eq } from 'drizzle-orm'
import { z } from 'zod'

const MAX_IMAGE = 2_048

// The release before this one stores texts of any length, and images with any scheme.
const profile = z.object({
  id: z.string(),
  name: z.string().transform(boundName),
  email: z.string().transform(boundEmail),
  emailVerified: z.boolean(),
  image: z
    .string()
    .nullable()
    .transform((image) => (image !== null && isImage(image) ? image : null)),
  role: z.string(),
  createdAt: z.string(),
})

function isImage(image: string): boolean {
  return image.length <= MAX_IMAGE && /^(?:https:\/\/|\/(?!\/))[^\s\\]*$/i.test(image)
}

/** A user as pages show it. */
type Profile = z.infer<typeof profile>

/** Finds a user by id; undefined if there is no such user. */
export type FindProfile = (id: string) => Promise<Profile | undefined>

/**
 * Users by id, cached by every instance. A trigger of the database writes every change of a user to
 * the outbox, in the same transaction.
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
